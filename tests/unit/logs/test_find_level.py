"""A line has the level that it is marked with, and words within a sentence are no mark."""

import pytest

from shared.logs.find_level import Level, find_level

MARKED = {
    Level.FATAL: [
        "fatal: not a git repository (or any of the parent directories): .git",
        "panic: runtime error: index out of range",
        "F1125 21:29:03.123456    1234 server.go:12] cannot listen",
        "CRITICAL:root:disk is full",
        "main.c:1:10: fatal error: stdio.h: No such file or directory",
        '{"level": 60, "msg": "gone"}',
    ],
    Level.ERROR: [
        "ERROR: could not find a version that satisfies the requirement nosuch",
        "error: linker `cc` not found",
        "Error: Process completed with exit code 1.",
        "error[E0308]: mismatched types",
        "error TS2304: Cannot find name 'x'.",
        "src/app.ts(3,14): error TS2304: Cannot find name 'x'.",
        r"C:\src\a.cpp(12): error C2065: 'x': undeclared identifier",
        "a.c:3:5: error: expected ';' before '}' token",
        "ld.lld: error: undefined symbol: main",
        "pytest: error: unrecognized arguments: --nosuch",
        "[ERROR] Failed to execute goal org.apache.maven.plugins",
        "[ error ] something",
        "npm ERR! code ENOENT",
        "npm error code ENOENT",
        "E: Unable to locate package nosuch",
        "E0102 12:34:56.789012    1234 file.go:12] message",
        "E, [2026-11-25T21:29:03.123456 #12] ERROR -- : message",
        "make: *** [Makefile:3: all] Error 2",
        "make[1]: *** No rule to make target 'x'.  Stop.",
        "CMake Error at CMakeLists.txt:3 (message):",
        "::error file=app.js,line=1::Missing semicolon",
        "::error::it broke",
        "##[error]Process completed with exit code 1.",
        "2026-11-25 21:29:03,123 - app.db - ERROR - connection refused",
        "2026-11-25T21:29:03.123Z ERROR app::db connection refused",
        "2026-11-25T21:29:03.123456789+01:00 error connection refused",
        "21:29:03.123 [main] ERROR org.example.App - connection refused",
        "2026-11-25 21:29:03.123 ERROR 1234 --- [main] o.e.App : connection refused",
        "2026/11/25 21:29:03 [error] 31#31: *1 open() failed",
        "[Wed Nov 25 21:29:03.123456 2026] [core:error] [pid 12] AH00037: not allowed",
        "[2026-11-25 21:29:03,123: ERROR/MainProcess] it failed",
        '2026-11-25 21:29:03.123 UTC [123] ERROR:  relation "x" does not exist',
        "Nov 25 21:29:03 host app[12]: ERROR connection refused",
        "Nov 25 21:29:03 host app[12]: error: connection refused",
        'time="2026-11-25T21:29:03Z" level=error msg="it failed"',
        "ts=2026-11-25T21:29:03Z caller=main.go:12 level=error err=refused",
        '{"timestamp":"2026-11-25T21:29:03Z","level":"ERROR","message":"it failed"}',
        '{"severity": "error", "message": "it failed"}',
        '{"msg": "it failed", "levelname": "ERROR"}',
        '{"level":50,"time":1764106143000,"msg":"it failed"}',
        '{"version": "1.1", "level": 3, "short_message": "it failed"}',
        "│ Error: Invalid reference",
        "#12 0.345 E: Unable to locate package nosuch",
        "SEVERE: Servlet.service() threw an exception",
        "ERROR in ./src/index.js",
    ],
    Level.WARNING: [
        "WARNING: Running pip as the 'root' user can result in broken permissions",
        "warning: unused variable: `x`",
        "[WARNING] The POM for x is missing",
        "[warn] deprecated",
        "npm WARN deprecated inflight@1.0.6",
        "W: Some index files failed to download.",
        "a.c:3:5: warning: unused variable 'x' [-Wunused-variable]",
        "2026-11-25T21:29:03Z WRN retrying",
        '{"level":"warn","msg":"retrying"}',
        "::warning file=app.js::careful",
    ],
    Level.INFO: [
        "[INFO] Building jar: target/app.jar",
        "INFO:root:started",
        "info: started",
        "I0102 12:34:56.789012    1234 file.go:12] started",
        "2026-11-25 21:29:03 INFO started",
        "a.c:3:5: note: declared here",
        '{"level":30,"msg":"started"}',
    ],
    Level.DEBUG: [
        "DEBUG: x = 1",
        "[DEBUG] x = 1",
        "::debug::x = 1",
        '{"level":"debug"}',
        "D, [2026-11-25T21:29:03 #1] x",
    ],
    Level.TRACE: ["TRACE x = 1", "2026-11-25T21:29:03Z TRC x", '{"level":10}'],
    Level.UNMARKED: [
        "",
        "0 errors found",
        "no error: all is well",
        "The error is in line 3",
        "error",
        "Error handling was improved",
        "Downloading error-2.0.tar.gz (12 kB)",
        "tests/test_error.py::test_error PASSED",
        "12:00:00 the build found no ERROR",
        "Information about errors: none",
        "noteworthy: nothing",
        "std::error::Error is a trait",
        "error::Error is a trait",
        "https://example.org/error: gone",
        "level=nosuch x=1",
        '{"level":"nosuch"}',
        '{"level":"very high"}',
        '{"level":99}',
        "key: value",
        "E   AssertionError: assert 1 == 2",
        "Warnings were found",
    ],
}


@pytest.mark.parametrize(("line", "level"), [(line, level) for level, lines in MARKED.items() for line in lines])
def test_a_line_has_the_level_that_it_is_marked_with(line: str, level: Level) -> None:
    assert find_level(line) is level


@pytest.mark.parametrize("line", [line for lines in MARKED.values() for line in lines])
def test_an_indent_does_not_hide_a_mark(line: str) -> None:
    assert find_level("  " + line) is find_level(line)


def test_a_mark_at_the_end_of_a_very_long_line_is_not_looked_for() -> None:
    assert find_level("x" * 2_000_000 + " level=error") is Level.UNMARKED
    assert find_level('{"x": "' + "x" * 2_000_000 + '", "level": "error"}') is Level.UNMARKED
