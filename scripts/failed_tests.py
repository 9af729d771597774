#!/usr/bin/env python3
"""Names the tests that failed in a run, a line each, as `swift test --filter` takes them: Suite/function.

Usage: failed_tests.py RESULTS.xml (xUnit, as Swift Testing writes it). Ends with 1 and no line if the file is
missing or broken (the run crashed), if no test in it failed (something else did), or if more than MOST
failed: those are no coincidence.
"""

import sys
import xml.etree.ElementTree as ElementTree

MOST = 4


def main(path):
    try:
        cases = ElementTree.parse(path).iter("testcase")
        failed = [case for case in cases if case.find("failure") is not None]
    except (OSError, ElementTree.ParseError) as error:
        return f"failed_tests: {path}: {error}"
    names = {f"{case.get('classname')}/{case.get('name').partition('(')[0]}" for case in failed}
    if not 0 < len(names) <= MOST:
        return f"failed_tests: {len(names)} tests failed"
    print("\n".join(sorted(names)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
