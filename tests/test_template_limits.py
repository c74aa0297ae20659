"""Chat templates that would fill the memory, or never end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from pytest_raq.engines.llamacpp.worker.chat_template import ChatTemplate, TemplateError

MEMORY = "needs more than 150 MB of memory"
HOSTILE = {
    "{{ 'x' * (2*10**9) }}": MEMORY,
    "{{ '%1000000000d' % 1 }}": MEMORY,
    "{{ 'x' | center(10**9) }}": MEMORY,
    "{{ '{:>1000000000}'.format(1) }}": MEMORY,
    "{% set ns = namespace(t=['x' * 10**6]) %}{% for i in range(99) %}"
    "{% set ns.t = ns.t + ns.t %}{% endfor %}": MEMORY,
    "{{ messages[0].content }}{{ 'x' * 30000000 }}": "makes a prompt of 30,000,003 characters",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}": (
        "takes more than 1 s"
    ),
    "{{ 10**(10**9) }}": "calculates a number of more than 65,536 bits",
    "{% set ns = namespace(n=7) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}"
    "{% endfor %}": "calculates a number of more than 65,536 bits",
}

MEASURE = """
import json, sys, time
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from pytest_raq.engines.llamacpp.worker.chat_template import ChatTemplate, TemplateError

def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) / 1024

def told(source):
    try:
        ChatTemplate(Jinja2ChatFormatter, source, "<s>", "</s>")
    except TemplateError as exc:
        return str(exc)

told("hello")
found = []
for source in json.load(sys.stdin):
    before, start = peak(), time.process_time()
    found.append((told(source), peak() - before, time.process_time() - start))
print(json.dumps(found))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_hostile_template_takes_neither_memory_nor_time():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=json.dumps(list(HOSTILE)),
        capture_output=True,
        text=True,
        check=True,
    )
    for (told, megabytes, seconds), reason in zip(
        json.loads(done.stdout), HOSTILE.values(), strict=True
    ):
        assert told.startswith("the chat template cannot be rendered: "), told
        assert reason in told
        assert megabytes < 200, told
        assert seconds < 2, told


def template(source):
    return ChatTemplate(Jinja2ChatFormatter, source, "<s>", "</s>")


def test_the_limits_leave_honest_templates_and_the_process_as_they_were():
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)
    chat = template("{{ messages[0].content }}{{ 'ab' * 2 }}{{ 3 * 2.5 + 2**10 }}")
    assert chat.pieces([("user", "!")], []) == ["!abab1031.5"]
    long = "word " * 400_000
    assert chat.pieces([("user", long)], []) == [f"{long}abab1031.5"]
    with pytest.raises(TemplateError, match=MEMORY):
        template("{{ 'x' * (2*10**9) }}")
    assert (resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGVTALRM)) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
