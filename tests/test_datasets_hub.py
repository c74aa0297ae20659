"""Saved data sets in this process; a hub on loopback, asked by processes of their own.

The libraries below read their environment once, when they are imported.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.datasets.items import check_items
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE

datasets = pytest.importorskip("datasets")


def row(number, answers, **more):
    asked = {"context": f"passage {number // 2}", "question": f"question {number}?"}
    return {"id": f"q{number}", "title": "t", **asked, "answers": answers, **more}


def answers(*texts):
    return {"text": list(texts), "answer_start": [0] * len(texts)}


ROWS = [row(0, answers("a", "b", "a")), row(1, answers()), row(2, answers("c"))]


def save(folder, rows=None, **splits):
    made = {name: datasets.Dataset.from_list(items) for name, items in splits.items()}
    whole = datasets.DatasetDict(made) if made else datasets.Dataset.from_list(rows)
    datasets.disable_progress_bars()
    whole.save_to_disk(str(folder / "saved"))
    datasets.enable_progress_bars()


def load(folder, **settings):
    return load_questions(DatasetSettings(source="saved", **settings), folder)


def message_of(folder, **settings):
    with pytest.raises(DatasetError) as caught:
        load(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder), "FOLDER")


def test_reads_a_saved_data_set(tmp_path, capfd):
    save(tmp_path, ROWS)
    capfd.readouterr()
    found = load(tmp_path)
    assert [item.id for item in found.questions] == ["q0", "q1", "q2"]
    assert [item.references for item in found.questions] == [("a", "b"), (UNANSWERABLE,), ("c",)]
    assert [item.answerable for item in found.questions] == [True, False, True]
    assert (found.questions[2].title, found.questions[2].passage) == ("t", "passage 1")
    assert capfd.readouterr() == ("", "")
    assert not datasets.are_progress_bars_disabled()


def test_answers_may_be_a_list_of_objects(tmp_path):
    save(tmp_path, [row(0, [{"text": "a", "answer_start": 0}, {"text": "b", "answer_start": 0}])])
    assert load(tmp_path).questions[0].references == ("a", "b")


def test_is_impossible_decides(tmp_path):
    save(tmp_path, [row(0, answers("a"), is_impossible=True)])
    assert load(tmp_path).questions[0].references == (UNANSWERABLE,)


def test_a_format_that_was_set_does_not_matter(tmp_path):
    whole = datasets.Dataset.from_list(ROWS).with_format("numpy")
    whole.save_to_disk(str(tmp_path / "saved"))
    assert load(tmp_path).questions[0].references == ("a", "b")


def test_ids_and_titles_may_be_missing_and_ids_numbers(tmp_path):
    save(tmp_path, [{k: v for k, v in item.items() if k not in ("id", "title")} for item in ROWS])
    found = load(tmp_path).questions
    assert len({item.id for item in found}) == 3
    assert {item.title for item in found} == {""}
    numbered = tmp_path / "numbered"
    save(numbered, [{**item, "id": number} for number, item in enumerate(ROWS)])
    assert [item.id for item in load(numbered).questions] == ["0", "1", "2"]


def test_a_split_is_chosen_and_the_only_one_needs_no_name(tmp_path):
    save(tmp_path, train=ROWS, validation=ROWS[:1])
    assert len(load(tmp_path, split="validation")) == 1
    assert message_of(tmp_path) == (
        "FOLDER/saved: the split is missing; set dataset.split to one of train, validation"
    )
    assert message_of(tmp_path, split="dev") == (
        "FOLDER/saved: has no split 'dev'; set dataset.split to one of train, validation"
    )
    save(tmp_path / "one", train=ROWS)
    assert len(load(tmp_path / "one")) == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"text": "x"}],
            (
                "has no column 'question'; name the column of the questions with"
                " dataset.columns.question: there are text"
            ),
        ),
        ([row(0, answers("a")), row(0, answers("b"))], "row 0 and row 1 have the same id 'q0'"),
        (
            [row(0, answers("a")), {**row(1, answers("a")), "question": ""}],
            "row 1: question: expected a text that is not empty, found an empty text",
        ),
        ([row(0, [True])], "row 0: answers: expected a text or a list of texts, found true"),
    ],
)
def test_rows_of_another_kind_are_told(tmp_path, rows, message):
    save(tmp_path, rows)
    assert message_of(tmp_path).startswith(f"FOLDER/saved: {message}")


def test_a_source_without_questions_is_told():
    with pytest.raises(DatasetError, match=r"^team/questions: holds no questions$"):
        check_items("team/questions", [])


def test_another_folder_is_told(tmp_path):
    (tmp_path / "saved").mkdir()
    assert message_of(tmp_path).startswith(
        "FOLDER/saved: is not a folder made by save_to_disk, or it is damaged: "
    )


def test_a_missing_package_is_told(tmp_path, monkeypatch):
    (tmp_path / "saved").mkdir()
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert message_of(tmp_path) == (
        "data sets of a hub or made by save_to_disk need the datasets package:"
        " pip install 'pytest-raq[datasets]'"
    )


COMMIT, OTHER = "c" * 40, "a" * 40
TOKEN = "hf_" + "s" * 20


def parquet(rows):
    file = io.BytesIO()
    datasets.Dataset.from_list(rows).to_parquet(file)
    return file.getvalue()


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as loading one data set of two splits takes."""

    protocol_version = "HTTP/1.1"
    data = "/datasets/team/questions"
    files: dict[str, bytes]
    commit = COMMIT
    is_broken = False
    asked_with: list[str]

    def log_message(self, *_):
        pass

    def reply(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def reply_json(self, value):
        self.reply(json.dumps(value).encode(), Content_Type="application/json")

    def entries(self, start=""):
        return [
            {
                "type": "file",
                "path": path,
                "size": len(body),
                "oid": hashlib.sha256(body).hexdigest(),
            }
            for path, body in self.files.items()
            if path.startswith(start)
        ]

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        self.asked_with.append(self.headers.get("Authorization", ""))
        if path.startswith(f"/api{self.data}-gated"):
            said = f"Access is denied to {self.headers.get('Authorization')}"
            self.reply(b"{}", 403, X_Error_Code="GatedRepo", X_Error_Message=said)
        elif path.startswith(f"{self.data}/resolve/"):
            self.send_file(path.removeprefix(f"{self.data}/resolve/").partition("/")[2])
        elif path.startswith(f"/api{self.data}/tree/"):
            start = path.removeprefix(f"/api{self.data}/tree/").partition("/")[2]
            folder = {"type": "directory", "path": "data", "oid": COMMIT}
            self.reply_json([*self.entries(start), *([] if start else [folder])])
        elif path.startswith(f"/api{self.data}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.reply_json({"id": "team/questions", "sha": self.commit, "siblings": siblings})
        else:
            self.reply(b"", 404, X_Error_Code="RepoNotFound")

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        paths = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
        self.reply_json([entry for entry in self.entries() if entry["path"] in paths])

    def send_file(self, name):
        known = self.files.get(name)
        if known is None:
            self.reply(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit=self.commit)
        elif self.is_broken:
            self.reply(b"", 403)
        else:
            tag = hashlib.sha256(known).hexdigest()
            self.reply(known, ETag=f'"{tag}"', X_Repo_Commit=self.commit)


@pytest.fixture(scope="module")
def hub():
    Hub.files = {
        "README.md": b"Questions\n",
        "data/train-00000-of-00001.parquet": parquet(ROWS),
        "data/validation-00000-of-00001.parquet": parquet(ROWS[:1]),
    }
    Hub.asked_with = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


ASK = """
import json, sys
from pathlib import Path
from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.errors import DatasetError
for settings in json.loads(sys.argv[1]):
    try:
        found = load_questions(DatasetSettings(**settings), Path("suites"))
        told = [[item.id for item in found.questions], found.revision, found.total, found.notes]
    except DatasetError as exc:
        told = str(exc)
    print(json.dumps(told))
"""


ALONE = {"HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1", "HF_TOKEN": ""}
"""Whatever the machine is set to."""


def ask(home, settings, **environment):
    sources = [{"source": "team/questions", **item} for item in settings]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASK, json.dumps(sources)],
        env={**os.environ, **ALONE, "HF_HOME": str(home), **environment},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_hub_is_read_once_and_its_cache_without_a_network(tmp_path, hub):
    none = "team/questions: is not a file in suites, and as a hub id it"
    online, _ = ask(
        tmp_path,
        [
            {"split": "train"},
            {"split": "validation", "sample": 5},
            {"split": "validation", "revision": COMMIT},
            {},
            {"split": "dev"},
            {"split": "train", "name": "large"},
            {"split": "train", "source": "team/nothing"},
        ],
        HF_ENDPOINT=hub,
    )
    pin = (
        "team/questions may change under the same name: set dataset.revision ="
        f' "{COMMIT}" to ask the same questions in every run'
    )
    assert online == [
        [["q0", "q1", "q2"], COMMIT, 3, [pin]],
        [["q0"], COMMIT, 1, [pin]],
        [["q0"], COMMIT, 1, []],
        "team/questions: the split is missing; set dataset.split to one of train, validation",
        "team/questions: has no split 'dev'; set dataset.split to one of train, validation",
        (
            f"{none} could not be loaded: BuilderConfig 'large' not found. Available: ['default']"
            " (dataset.name, dataset.split and dataset.revision select the part)"
        ),
        (
            "team/nothing: is not a file in suites, and as a hub id it was not found:"
            " Dataset 'team/nothing' doesn't exist on the Hub or cannot be accessed."
            " (a private one needs HF_TOKEN)"
        ),
    ]
    offline, told = ask(
        tmp_path,
        [
            {"split": "train"},
            {"split": "train", "revision": COMMIT},
            {"split": "train", "revision": "main"},
            {"split": "train", "revision": OTHER},
            {"split": "train", "source": "team/other"},
        ],
        HF_HUB_OFFLINE="1",
    )
    assert [found[:3] for found in offline[:3]] == [[["q0", "q1", "q2"], COMMIT, 3]] * 3
    assert [len(found[3]) for found in offline[:3]] == [2, 1, 2]
    assert offline[0][3][1] == pin
    for found in offline[:3]:
        assert found[3][0].startswith("the hub did not answer (")
        assert found[3][0].endswith(
            f"): the questions of team/questions come from the local cache, commit {COMMIT}"
        )
    assert offline[3] == (
        f"team/questions: revision {OTHER} is not in the local cache, and the hub cannot be"
        f" reached; the cache has {COMMIT}: load the other one once with a network"
    )
    (unreached, unknown), quiet = ask(
        tmp_path,
        [{"split": "train"}, {"split": "train", "source": "team/other"}],
        HF_ENDPOINT="http://127.0.0.1:1",
    )
    assert unreached[:3] == [["q0", "q1", "q2"], COMMIT, 3]
    assert unreached[3][0].startswith("the hub did not answer ([Errno ")
    assert "not in the local cache, and the hub cannot be reached ([Errno " in unknown
    assert quiet == ""
    assert offline[4].startswith(
        "team/other: is not a file in suites, and as a hub id it is not in the local cache, and"
        " the hub cannot be reached ("
    )
    assert told == ""


def test_a_hub_that_went_on_and_fails_leaves_the_cache_and_the_token_stays_secret(
    tmp_path, hub, monkeypatch
):
    settings = [{"split": "train"}]
    ((first, _),) = [ask(tmp_path, settings, HF_ENDPOINT=hub)]
    assert first[0][1] == COMMIT
    monkeypatch.setattr(Hub, "commit", OTHER)
    monkeypatch.setattr(Hub, "is_broken", True)
    Hub.asked_with.clear()
    asked = [*settings, {"split": "train", "source": "team/questions-gated"}]
    (cached, denied), said = ask(tmp_path, asked, HF_ENDPOINT=hub, HF_TOKEN=TOKEN)
    assert cached[:3] == [["q0", "q1", "q2"], COMMIT, 3]
    assert cached[3][0] == (
        f"team/questions is at commit {OTHER} on the hub and could not be loaded from there: the"
        f" questions come from the local cache, commit {COMMIT}"
    )
    assert denied.startswith("team/questions-gated: is not a file in suites, and as a hub id")
    assert f"Bearer {TOKEN}" in Hub.asked_with
    assert TOKEN not in json.dumps([cached, denied]) + said
