# ruff: noqa: RUF001 - it is what the programs print
"""What programs print when they fail, and the line of it that a person would point at."""

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """Output of a step: stdout, then stderr. `expected` is the text of the failing line."""

    name: str
    expected: str
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 1


SAMPLES = [
    Sample(
        "gcc",
        "src/pump.c:41:9: error: 'lenght' undeclared (first use in this function); did you mean 'length'?",
        stdout="gcc -Wall -c -o pump.o src/pump.c\n",
        stderr="""\
src/pump.c: In function 'pump':
src/pump.c:12:7: warning: unused variable 'i' [-Wunused-variable]
src/pump.c:41:9: error: 'lenght' undeclared (first use in this function); did you mean 'length'?
   41 |     if (lenght > 0)
      |         ^~~~~~
      |         length
src/pump.c:50:1: error: expected ';' before '}' token
make: *** [Makefile:8: pump.o] Error 1
""",
        exit_code=2,
    ),
    Sample(
        "clang, missing header",
        "./lib/a.cc:3:10: fatal error: 'zlib.h' file not found",
        stderr="In file included from main.cc:1:\n./lib/a.cc:3:10: fatal error: 'zlib.h' file not found\n"
        "#include <zlib.h>\n         ^~~~~~~~\n1 error generated.\n",
    ),
    Sample(
        "linker",
        "main.c:(.text+0x1b): undefined reference to `pump'",
        stderr="/usr/bin/ld: /tmp/ccX.o: in function `main':\nmain.c:(.text+0x1b): undefined reference to `pump'\n"
        "collect2: error: ld returned 1 exit status\n",
    ),
    Sample(
        "tsc",
        "src/app.ts(10,7): error TS2322: Type 'string' is not assignable to type 'number'.",
        stdout="src/app.ts(10,7): error TS2322: Type 'string' is not assignable to type 'number'.\n"
        "src/b.ts(1,1): error TS6133: 'x' is declared but its value is never read.\n",
        exit_code=2,
    ),
    Sample(
        "tsc --pretty",
        "src/app.ts:10:7 - error TS2322: Type 'string' is not assignable to type 'number'.",
        stdout="\x1b[96msrc/app.ts\x1b[0m:\x1b[93m10\x1b[0m:\x1b[93m7\x1b[0m - "
        "\x1b[91merror\x1b[0m\x1b[90m TS2322: \x1b[0m"
        "Type 'string' is not assignable to type 'number'.\n\n\x1b[7m10\x1b[0m const n: number = 'a';\n\n"
        "Found 1 error.\n",
        exit_code=2,
    ),
    Sample(
        "cargo build",
        "error[E0308]: mismatched types",
        stderr="   Compiling app v0.1.0 (/ci/app)\nwarning: unused variable: `x`\n --> src/main.rs:2:9\n\n"
        'error[E0308]: mismatched types\n --> src/main.rs:4:18\n  |\n4 |     let n: i32 = "a";\n\n'
        "For more information about this error, try `rustc --explain E0308`.\n"
        'error: could not compile `app` (bin "app") due to 1 previous error\n',
        exit_code=101,
    ),
    Sample(
        "cargo test",
        "thread 'tests::it_adds' panicked at src/lib.rs:12:9:",
        stdout="running 2 tests\ntest tests::it_subtracts ... ok\ntest tests::it_adds ... FAILED\n\nfailures:\n\n"
        "---- tests::it_adds stdout ----\n\nthread 'tests::it_adds' panicked at src/lib.rs:12:9:\n"
        "assertion `left == right` failed\n  left: 5\n right: 4\n\nfailures:\n    tests::it_adds\n\n"
        "test result: FAILED. 1 passed; 1 failed; 0 ignored\n",
        stderr="error: test failed, to rerun pass `--lib`\n",
        exit_code=101,
    ),
    Sample(
        "go build",
        "./main.go:9:2: undefined: foo",
        stderr="# example.org/app\n./main.go:9:2: undefined: foo\n./main.go:10:5: x declared and not used\n",
    ),
    Sample(
        "go test",
        "--- FAIL: TestSum (0.00s)",
        stdout="=== RUN   TestSum\n    sum_test.go:8: got 5, want 4\n--- FAIL: TestSum (0.00s)\nFAIL\nexit status 1\n"
        "FAIL\texample.org/app/sum\t0.002s\n?   \texample.org/app\t[no test files]\nFAIL\n",
    ),
    Sample(
        "go panic",
        "panic: runtime error: index out of range [5] with length 3",
        stdout="starting\n",
        stderr="panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n"
        "\t/ci/app/main.go:9 +0x1d\nexit status 2\n",
        exit_code=2,
    ),
    Sample(
        "javac",
        "Main.java:5: error: cannot find symbol",
        stderr="Main.java:5: error: cannot find symbol\n        foo();\n        ^\n  symbol:   method foo()\n1 error\n",
    ),
    Sample(
        "maven, compiler",
        "[ERROR] /ci/app/src/main/java/org/example/App.java:[11,9] cannot find symbol",
        stdout="[INFO] Compiling 3 source files\n[INFO] -----\n[ERROR] COMPILATION ERROR : \n[INFO] -----\n"
        "[ERROR] /ci/app/src/main/java/org/example/App.java:[11,9] cannot find symbol\n  symbol:   method foo()\n"
        "[INFO] 1 error\n[INFO] BUILD FAILURE\n"
        "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin\n"
        "[ERROR] -> [Help 1]\n",
    ),
    Sample(
        "maven, tests",
        "[ERROR]   SumTest.adds:14 expected: <4> but was: <5>",
        stdout="[INFO] Running org.example.SumTest\n"
        "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.03 s <<< "
        "FAILURE! -- in org.example.SumTest\n"
        "[ERROR] org.example.SumTest.adds -- Time elapsed: 0.01 s <<< FAILURE!\n"
        "org.opentest4j.AssertionFailedError: expected: <4> but was: <5>\n"
        "\tat org.example.SumTest.adds(SumTest.java:14)\n\n"
        "[INFO] Results:\n[ERROR] Failures: \n[ERROR]   SumTest.adds:14 expected: <4> but was: <5>\n"
        "[ERROR] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0\n[INFO] BUILD FAILURE\n"
        "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test\n",
    ),
    Sample(
        "maven, dependency",
        "[ERROR] Failed to execute goal on project app: Could not resolve dependencies for project "
        "org.example:app:jar:1.0",
        stdout="[INFO] BUILD FAILURE\n"
        "[ERROR] Failed to execute goal on project app: Could not resolve dependencies for project "
        "org.example:app:jar:1.0\n[ERROR] -> [Help 1]\n[ERROR] \n"
        "[ERROR] To see the full stack trace of the errors, re-run\n",
    ),
    Sample(
        "gradle, tests",
        "SumTest > adds() FAILED",
        stdout="> Task :compileJava\n> Task :test\n\nSumTest > adds() FAILED\n"
        "    org.opentest4j.AssertionFailedError at SumTest.java:14\n\n2 tests completed, 1 failed\n\n"
        "> Task :test FAILED\n",
        stderr="\nFAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':test'.\n",
    ),
    Sample(
        "gradle",
        "Could not resolve all files for configuration ':compileClasspath'.",
        stderr="\nFAILURE: Build failed with an exception.\n\n* What went wrong:\n"
        "Could not resolve all files for configuration ':compileClasspath'.\n> Could not find org.example:lib:9.\n\n"
        "* Try:\n> Run with --stacktrace option to get the stack trace.\n\nBUILD FAILED in 2s\n",
    ),
    Sample(
        "kotlin",
        "e: file:///ci/app/src/main/kotlin/App.kt:4:5 Unresolved reference: foo",
        stderr="w: file:///ci/app/src/main/kotlin/App.kt:2:9 Variable 'x' is never used\n"
        "e: file:///ci/app/src/main/kotlin/App.kt:4:5 Unresolved reference: foo\n",
    ),
    Sample(
        "pytest",
        "FAILED tests/test_sum.py::test_adds - assert 5 == 4",
        stdout="""\
============================= test session starts ==============================
collected 2 items

tests/test_sum.py .F                                                     [100%]

=================================== FAILURES ===================================
__________________________________ test_adds ___________________________________

    def test_adds() -> None:
>       assert add(2, 3) == 4
E       assert 5 == 4
E        +  where 5 = add(2, 3)

tests/test_sum.py:6: AssertionError
----------------------------- Captured stderr call -----------------------------
Traceback (most recent call last):
  File "app.py", line 3, in add
ValueError: caught, and logged
=========================== short test summary info ============================
FAILED tests/test_sum.py::test_adds - assert 5 == 4
========================= 1 failed, 1 passed in 0.02s ==========================
""",
    ),
    Sample(
        "pytest, collection",
        "ERROR tests/test_sum.py - ModuleNotFoundError: No module named 'app'",
        stdout="==== ERRORS ====\n____ ERROR collecting tests/test_sum.py ____\ntests/test_sum.py:1: in <module>\n"
        "    import app\n"
        "E   ModuleNotFoundError: No module named 'app'\n=== short test summary info ===\n"
        "ERROR tests/test_sum.py - ModuleNotFoundError: No module named 'app'\n"
        "!!! Interrupted: 1 error during collection !!!\n",
        exit_code=2,
    ),
    Sample(
        "pytest without its summary",
        "E       assert 5 == 4",
        stdout=">       assert add(2, 3) == 4\nE       assert 5 == 4\nE        +  where 5 = add(2, 3)\n"
        "1 failed in 0.02s\n",
    ),
    Sample(
        "unittest",
        "FAIL: test_adds (test_sum.SumTest.test_adds)",
        stderr="F.\n======================================================================\n"
        "FAIL: test_adds (test_sum.SumTest.test_adds)\n"
        "----------------------------------------------------------------------\nTraceback (most recent call last):\n"
        '  File "test_sum.py", line 6, in test_adds\n    self.assertEqual(add(2, 3), 4)\nAssertionError: 5 != 4\n\n'
        "Ran 2 tests in 0.001s\n\nFAILED (failures=1)\n",
    ),
    Sample(
        "python",
        "requests.exceptions.ConnectionError: no route to host",
        stdout="fetching\n",
        stderr='Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    get()\n'
        "OSError: no route\n\n"
        "During handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n"
        '  File "a.py", line 5, in <module>\n    raise\nrequests.exceptions.ConnectionError: no route to host\n',
    ),
    Sample(
        "python, syntax",
        "SyntaxError: '(' was never closed",
        stderr="  File \"a.py\", line 1\n    print(\n         ^\nSyntaxError: '(' was never closed\n",
    ),
    Sample(
        "mypy",
        'app/sum.py:3: error: Incompatible return value type (got "str", expected "int")  [return-value]',
        stdout='app/sum.py:3: error: Incompatible return value type (got "str", expected "int")  [return-value]\n'
        "Found 1 error in 1 file (checked 12 source files)\n",
    ),
    Sample(
        "ruff",
        "F401 [*] `os` imported but unused",
        stdout="F401 [*] `os` imported but unused\n --> app/a.py:1:8\n  |\n1 | import os\n  |        ^^\n\n"
        "Found 1 error.\n"
        "[*] 1 fixable with the `--fix` option.\n",
    ),
    Sample(
        "flake8",
        "app/a.py:1:1: F401 'os' imported but unused",
        stdout="app/a.py:1:1: F401 'os' imported but unused\n",
    ),
    Sample(
        "eslint",
        "10:7  error  'x' is assigned a value but never used  no-unused-vars",
        stdout="\n/ci/app/src/a.js\n   3:1  warning  Unexpected console statement  no-console\n"
        "  10:7  error  'x' is assigned a value but never used  no-unused-vars\n\n✖ 2 problems (1 error, 1 warning)\n",
    ),
    Sample(
        "jest",
        "● sum › adds",
        stderr="PASS src/b.test.js\nFAIL src/sum.test.js\n  sum\n    ✕ adds (3 ms)\n\n  ● sum › adds\n\n"
        "    expect(received).toBe(expected) // Object.is equality\n\n    Expected: 4\n    Received: 5\n\n"
        "Tests:       1 failed, 1 passed, 2 total\nnpm ERR! Test failed.  See above for more details.\n",
    ),
    Sample(
        "vitest",
        "FAIL  test/sum.test.ts > sum > adds",
        stdout=" ❯ test/sum.test.ts (1 test | 1 failed) 5ms\n",
        stderr="\n⎯⎯⎯ Failed Tests 1 ⎯⎯⎯\n\n FAIL  test/sum.test.ts > sum > adds\n"
        "AssertionError: expected 5 to be 4 // Object.is equality\n",
    ),
    Sample(
        "mocha",
        "1) adds:",
        stdout="  sum\n    1) adds\n\n  0 passing (4ms)\n  1 failing\n\n  1) adds:\n\n"
        "      AssertionError [ERR_ASSERTION]: 5 == 4\n",
    ),
    Sample(
        "rspec",
        "Failure/Error: expect(add(2, 3)).to eq(4)",
        stdout="F\n\nFailures:\n\n  1) Sum adds\n     Failure/Error: expect(add(2, 3)).to eq(4)\n\n"
        "       expected: 4\n            got: 5\n\n"
        "1 example, 1 failure\n\nFailed examples:\n\nrspec ./spec/sum_spec.rb:4 # Sum adds\n",
    ),
    Sample(
        "phpunit",
        "1) Tests\\SumTest::testAdds",
        stdout="PHPUnit 11.0 by Sebastian Bergmann\n\nThere was 1 failure:\n\n1) Tests\\SumTest::testAdds\n"
        "Failed asserting that 5 matches expected 4.\n\nFAILURES!\nTests: 1, Assertions: 1, Failures: 1.\n",
    ),
    Sample(
        "googletest",
        "[  FAILED  ] Sum.Adds (0 ms)",
        stdout="[ RUN      ] Sum.Adds\nsum_test.cc:5: Failure\nExpected equality of these values:\n"
        "[  FAILED  ] Sum.Adds (0 ms)\n"
        "[==========] 1 test ran.\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Sum.Adds\n",
    ),
    Sample(
        "dotnet build",
        "/ci/app/Program.cs(3,9): error CS1002: ; expected [/ci/app/app.csproj]",
        stdout="  Determining projects to restore...\n"
        "/ci/app/Program.cs(3,9): error CS1002: ; expected [/ci/app/app.csproj]\n\nBuild FAILED.\n",
    ),
    Sample(
        "tap", "not ok 2 - adds", stdout="TAP version 13\n1..2\nok 1 - is there\nnot ok 2 - adds\n  ---\n  found: 5\n"
    ),
    Sample(
        "node",
        "TypeError: Cannot read properties of undefined (reading 'length')",
        stderr="/ci/app/a.js:2\n  return x.length;\n           ^\n\n"
        "TypeError: Cannot read properties of undefined (reading 'length')\n    at f (/ci/app/a.js:2:12)\n\n"
        "Node.js v22.3.0\n",
    ),
    Sample(
        "node, module",
        "Error: Cannot find module 'left-pad'",
        stderr="node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module 'left-pad'\n"
        "Require stack:\n- /ci/app/a.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15) {\n"
        "  code: 'MODULE_NOT_FOUND'\n}\n",
    ),
    Sample(
        "java",
        'Exception in thread "main" java.lang.IllegalStateException: no database',
        stderr='Exception in thread "main" java.lang.IllegalStateException: no database\n'
        "\tat org.example.App.main(App.java:9)\n",
    ),
    Sample(
        "ruby",
        "app.rb:3:in `load': cannot load such file -- pg (LoadError)",
        stderr="app.rb:3:in `load': cannot load such file -- pg (LoadError)\n\tfrom app.rb:3:in `<main>'\n",
    ),
    Sample(
        "npm install",
        "npm error 404 Not Found - GET https://registry.example.org/left-pud - Not found",
        stderr="npm warn deprecated glob@7.2.3: no longer supported\nnpm error code E404\n"
        "npm error 404 Not Found - GET https://registry.example.org/left-pud - Not found\nnpm error 404\n"
        "npm error A complete log of this run can be found in: /root/.npm/_logs/x.log\n",
    ),
    Sample(
        "npm run, whose script tells",
        "src/app.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.",
        stdout="\n> app@1.0.0 build\n> tsc\n\n"
        "src/app.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.\n",
        stderr="npm ERR! code ELIFECYCLE\nnpm ERR! errno 2\nnpm ERR! app@1.0.0 build: `tsc`\nnpm ERR! Exit status 2\n",
    ),
    Sample(
        "npm run, whose script tells nothing known",
        "the roof leaks",
        stdout="\n> app@1.0.0 roof\n> check-roof\n\nthe roof leaks\n",
        stderr="npm ERR! code ELIFECYCLE\nnpm ERR! errno 2\nnpm ERR! Exit status 2\n",
    ),
    Sample(
        "pip",
        "ERROR: Could not find a version that satisfies the requirement nosuch==9 (from versions: none)",
        stdout="Collecting requests\n",
        stderr="ERROR: Could not find a version that satisfies the requirement nosuch==9 (from versions: none)\n"
        "ERROR: No matching distribution found for nosuch==9\n\n[notice] A new release of pip is available\n",
    ),
    Sample(
        "terraform",
        "│ Error: Reference to undeclared resource",
        stderr='╷\n│ Error: Reference to undeclared resource\n│ \n│   on main.tf line 3, in output "x":\n╵\n',
    ),
    Sample(
        "docker build",
        "src/pump.c:41:9: error: 'lenght' undeclared",
        stderr="#11 [4/5] RUN make\n#11 0.412 cc -c pump.c\n#11 0.530 src/pump.c:41:9: error: 'lenght' undeclared\n"
        "#11 0.541 make: *** [Makefile:8: pump.o] Error 1\n"
        '#11 ERROR: process "/bin/sh -c make" did not complete successfully\n'
        'ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2\n',
    ),
    Sample(
        "git",
        "fatal: could not read Username for 'https://example.org': terminal prompts disabled",
        stderr="Cloning into 'app'...\n"
        "fatal: could not read Username for 'https://example.org': terminal prompts disabled\n",
        exit_code=128,
    ),
    Sample(
        "apt",
        "E: Unable to locate package libnosuch-dev",
        stdout="Reading package lists...\nBuilding dependency tree...\n",
        stderr="E: Unable to locate package libnosuch-dev\n",
        exit_code=100,
    ),
    Sample(
        "a command that is not there",
        "/ci/step-1: line 2: pytset: command not found",
        stdout="ERROR: this was printed, and survived, before\n",
        stderr="+ pytset -q\n/ci/step-1: line 2: pytset: command not found\n",
        exit_code=127,
    ),
    Sample("dash", "/ci/step-1: 2: pytset: not found", stderr="/ci/step-1: 2: pytset: not found\n", exit_code=127),
    Sample(
        "a script that is not executable",
        "/ci/step-1: line 1: ./build.sh: Permission denied",
        stderr="/ci/step-1: line 1: ./build.sh: Permission denied\n",
        exit_code=126,
    ),
    Sample(
        "a file that is not there",
        "cp: cannot stat 'dist/app': No such file or directory",
        stdout="packing\nnearly done\n",
        stderr="cp: cannot stat 'dist/app': No such file or directory\n",
    ),
    Sample(
        "make alone",
        "make: *** No rule to make target 'tset'.  Stop.",
        stderr="make: *** No rule to make target 'tset'.  Stop.\n",
        exit_code=2,
    ),
    Sample(
        "an annotation",
        "::error file=app.py,line=3::the roof leaks",
        stdout="::warning::old tiles\n::error file=app.py,line=3::the roof leaks\n",
    ),
    Sample(
        "json logs",
        '{"level":"error","msg":"cannot connect","addr":"db:5432"}',
        stdout='{"level":"info","msg":"starting"}\n{"level":"error","msg":"cannot connect","addr":"db:5432"}\n'
        '{"level":"info","msg":"leaving"}\n',
    ),
    Sample(
        "a logger",
        "2026-11-25 10:00:02,114 CRITICAL app: no database, giving up",
        stderr="2026-11-25 10:00:01,001 ERROR app: try 1 failed\n"
        "2026-11-25 10:00:02,114 CRITICAL app: no database, giving up\n"
        "2026-11-25 10:00:02,115 INFO app: bye\n",
    ),
    Sample("words on stderr", "the roof leaks", stdout="looking\n", stderr="the roof leaks\n"),
    Sample("words on stdout", "the roof leaks", stdout="looking\nthe roof leaks\n\n\n"),
    Sample("no words but what the shell traces", "+ test 1 = 2", stderr="+ test 1 = 2\n"),
    Sample("a count of errors that is none", "the roof leaks", stdout="0 errors, 0 warnings\nthe roof leaks\n"),
    Sample(
        "a progress bar",
        "curl: (22) The requested URL returned error: 404",
        stderr="  0%\r 50%\r100%\rcurl: (22) The requested URL returned error: 404\r\n",
        exit_code=22,
    ),
]
