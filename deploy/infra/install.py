"""Find or install the real components: `python -m deploy.infra.install postgres kafka chromium kcat promtool`.

Quick when all is there already. What cannot be had is named with its reason, and the exit code is 1. Debian packages
are installed by apt-get, as root only; Kafka's jars come through Maven. Of Debian's package `prometheus` promtool alone
is taken out: installed, it would also start a server. Standard library only.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "deploy" / "kafka" / "pom.xml"
# In full: by its short name Maven would first have to find out whose plugin that is, and fail with a misleading reason.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
_CREATECLUSTER = Path("/etc/postgresql-common/createcluster.conf")
# Written last into a folder of jars: which pom.xml they came from, and so that all of them are there.
_JARS_OF = "pom.sha256"


class Unavailable(Exception):
    """A component isn't here and can't be had; `str()` is one line that names it and says why."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"{component}: {reason}")
        self.component = component
        self.reason = reason


def redress_home() -> Path:
    """Where Redress keeps its data: `REDRESS_HOME`, else `.redress` in the checkout."""
    return Path(os.environ.get("REDRESS_HOME") or ROOT / ".redress").absolute()


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs: version 15, which Redress is tested with, else the newest later one."""
    every = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    every.sort(key=lambda path: (path.parent.name != "15", -int(path.parent.name)))
    on_path = shutil.which("postgres")
    if on_path:
        every.append(Path(on_path).resolve().parent)
    for programs in every:
        whole = all((programs / name).is_file() for name in ("postgres", "initdb", "createdb"))
        if whole and _major([str(programs / "postgres"), "--version"], r"\) (\d+)") >= 15:
            return programs
    return None


def find_java() -> Path | None:
    """A Java of version 17 or later: in `JAVA_HOME`, else on the path."""
    home = os.environ.get("JAVA_HOME")
    for java in (Path(home) / "bin" / "java" if home else None, shutil.which("java")):
        if java and Path(java).is_file() and _major([str(java), "-version"], r'version "(\d+)') >= 17:
            return Path(java)
    return None


def kafka_libs_path() -> Path:
    """Where Kafka's jars are, or would be put: `REDRESS_KAFKA_LIBS`, else `kafka/libs` in `REDRESS_HOME`."""
    return Path(os.environ.get("REDRESS_KAFKA_LIBS") or redress_home() / "kafka" / "libs").absolute()


def kafka_libs(folder: Path | None = None) -> Path | None:
    """The folder of Kafka's jars, when it holds all that the present `deploy/kafka/pom.xml` asks for."""
    folder = folder or kafka_libs_path()
    try:
        return folder if (folder / _JARS_OF).read_text() == _pom_digest() else None
    except OSError:
        return None


def find_chromium() -> Path | None:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Path(found) if found else None


def find_kcat() -> Path | None:
    found = shutil.which("kcat") or shutil.which("kafkacat")
    return Path(found) if found else None


def promtool_path() -> Path:
    """Where promtool is put when there is none on the path: `REDRESS_PROMTOOL`, else `promtool` in `REDRESS_HOME`."""
    return Path(os.environ.get("REDRESS_PROMTOOL") or redress_home() / "promtool" / "promtool").absolute()


def find_promtool() -> Path | None:
    found = shutil.which("promtool")
    own = promtool_path()
    return Path(found) if found else own if own.is_file() else None


def postgres() -> Path:
    """Find PostgreSQL or install it; returns the folder of its programs. Raises `Unavailable`."""
    found = find_postgres()
    if found:
        return found
    # The common part first, alone: it says whether installing a server also makes and starts a cluster, which would
    # take port 5432 of this machine and be of no use to us. What the file said before is put back.
    _apt("postgres", "postgresql-common")
    before = _CREATECLUSTER.read_text() if _CREATECLUSTER.exists() else None
    _CREATECLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _CREATECLUSTER.write_text("create_main_cluster = false\n")
    try:
        _apt("postgres", *(["postgresql-15"] if _offered("postgresql-15") else ["postgresql"]))
    finally:
        if before is None:
            _CREATECLUSTER.unlink(missing_ok=True)
        else:
            _CREATECLUSTER.write_text(before)
    return _now_there("postgres", find_postgres())


def java() -> Path:
    """Find Java 17 or install it. Raises `Unavailable`."""
    found = find_java()
    if found:
        return found
    _apt("kafka", "openjdk-17-jre-headless")
    return _now_there("kafka", find_java())


def kafka(folder: Path | None = None) -> Path:
    """Find Java and Kafka's jars or fetch them; returns the folder of the jars. Raises `Unavailable`."""
    java()
    folder = (folder or kafka_libs_path()).absolute()
    if kafka_libs(folder):
        return folder
    try:
        with _lock(folder):
            if not kafka_libs(folder):  # unless another process fetched them while we waited
                _fetch_jars(folder)
    except OSError as error:
        raise Unavailable("kafka", f"cannot write its jars: {error}") from error
    from deploy.infra.kafka import write_class_archive  # here, because that module builds on this one

    write_class_archive(folder)
    return folder


def chromium() -> Path:
    """Find Chromium, and a font that can show Chinese, or install them. Raises `Unavailable`."""
    found = find_chromium()
    missing = [*([] if found else ["chromium"]), *([] if _has_chinese_font() else ["fonts-noto-cjk"])]
    if missing:
        _apt("chromium", *missing)
    return _now_there("chromium", found or find_chromium())


def kcat() -> Path:
    """Find kcat or install it. Raises `Unavailable`."""
    found = find_kcat()
    if found:
        return found
    _apt("kcat", "kcat")
    return _now_there("kcat", find_kcat())


def promtool() -> Path:
    """Find promtool or take it out of Debian's package, which needs no root. Raises `Unavailable`."""
    found = find_promtool()
    if found:
        return found
    try:
        with _lock(promtool_path().parent):
            if not promtool_path().is_file():  # unless another process fetched it while we waited
                _unpack_promtool(promtool_path())
    except OSError as error:
        raise Unavailable("promtool", f"cannot write it: {error}") from error
    return _now_there("promtool", find_promtool())


COMPONENTS: dict[str, Callable[[], Path]] = {
    "postgres": postgres,
    "kafka": kafka,
    "chromium": chromium,
    "kcat": kcat,
    "promtool": promtool,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.infra.install", description=__doc__)
    parser.add_argument("components", nargs="+", choices=list(COMPONENTS), metavar="|".join(COMPONENTS))
    parser.add_argument("--best-effort", action="store_true", help="exit 0 also when something is missing")
    chosen = parser.parse_args(argv)
    missing = []
    for name in chosen.components:
        try:
            sys.stdout.write(f"{name}: {COMPONENTS[name]()}\n")
            sys.stdout.flush()
        except Unavailable as unavailable:
            missing.append(str(unavailable))
    for line in missing:
        sys.stderr.write(f"missing {line}\n")
    return 1 if missing and not chosen.best_effort else 0


def _fetch_jars(folder: Path) -> None:
    """Into a folder beside it first, so that a half-fetched or outdated set is never taken for a whole one."""
    maven = shutil.which("mvn")
    if not maven:
        _apt("kafka", "maven")
        maven = str(_now_there("kafka", shutil.which("mvn")))
    fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        command = [maven, "--batch-mode", "--quiet", "-f", str(POM), _COPY]
        done = _run([*command, f"-DoutputDirectory={fresh}"])
        if done.returncode:
            raise Unavailable("kafka", f"Maven could not fetch its jars: {_reason(done)}")
        (fresh / _JARS_OF).write_text(_pom_digest())
        fresh.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack_promtool(target: Path) -> None:
    if not shutil.which("apt-get"):
        raise Unavailable("promtool", "not installed, and there is no apt-get here to download prometheus")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        done = _apt_get("download", "prometheus", cwd=folder)
        if done.returncode and os.geteuid() == 0:  # never updated on this machine, or long ago
            _apt_get("update")
            done = _apt_get("download", "prometheus", cwd=folder)
        packages = list(Path(folder).glob("prometheus_*.deb"))
        if done.returncode or not packages:
            raise Unavailable("promtool", f"apt-get could not download prometheus: {_reason(done)}")
        unpacked = Path(folder) / "unpacked"
        done = _run(["dpkg-deb", "-x", str(packages[0]), str(unpacked)])
        if done.returncode:
            raise Unavailable("promtool", f"its package could not be unpacked: {_reason(done)}")
        (unpacked / "usr" / "bin" / "promtool").replace(target)


def _pom_digest() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Only one process at a time fetches into `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt(component: str, *packages: str) -> None:
    """Install Debian packages, or raise `Unavailable` with the reason."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise Unavailable(component, f"not installed, and there is no apt-get here to install {names}")
    if os.geteuid() != 0:
        raise Unavailable(component, f"not installed; as root: apt-get install {names}")
    install = ["install", "-y", "--no-install-recommends", *packages]
    done = _apt_get(*install)
    if done.returncode:  # never updated on this machine, or so long ago that the listed versions are gone
        _apt_get("update")
        done = _apt_get(*install)
    if done.returncode:
        raise Unavailable(component, f"apt-get could not install {names}: {_reason(done)}")


def _apt_get(*arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "UCF_FORCE_CONFFOLD": "1"}
    return _run(["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments], env={**os.environ, **quiet}, cwd=cwd)


def _offered(package: str) -> bool:
    """Whether this machine's package lists hold a version of `package` that can be installed."""
    listed = _run(["apt-cache", "policy", package], env={**os.environ, "LC_ALL": "C"}).stdout
    return "Candidate:" in listed and "Candidate: (none)" not in listed


def _has_chinese_font() -> bool:
    if shutil.which("fc-list"):
        return bool(_run(["fc-list", ":lang=zh-tw", "family"]).stdout.strip())
    return any(Path("/usr/share/fonts").glob("**/NotoSansCJK*"))


def _now_there(component: str, found: Path | str | None) -> Path:
    if not found:
        raise Unavailable(component, "was installed, and still cannot be found")
    return Path(found)


def _major(command: list[str], pattern: str) -> int:
    """The version number that `pattern` finds in what `command` prints; 0 when there is none."""
    try:
        done = _run(command)
    except OSError:
        return 0
    found = re.search(pattern, done.stdout + done.stderr)
    return int(found[1]) if found else 0


def _run(
    command: list[str], env: dict[str, str] | None = None, cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    nothing = subprocess.DEVNULL
    return subprocess.run(command, env=env, cwd=cwd, stdin=nothing, capture_output=True, text=True, check=False)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """One line of what a failed command said: its first error, else its last line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr + "\n" + done.stdout)
    lines = [line.strip() for line in plain.splitlines()]
    errors = [text for line in lines for mark in ("E: ", "[ERROR]") if (text := _after(mark, line))]
    return (errors or [line for line in lines if line][-1:] or [f"exit code {done.returncode}"])[0]


def _after(mark: str, line: str) -> str:
    return line.removeprefix(mark).strip() if line.startswith(mark) else ""


if __name__ == "__main__":
    raise SystemExit(main())
