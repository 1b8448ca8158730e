"""Runs a program at a terminal: waits for words, sends keys, and tells how the terminal was left.

Usage: terminal.py SECONDS PROGRAM [ARGUMENT...], with a JSON list of [WORDS, KEYS] on standard input. What is typed for a
password is sent once the terminal hides it: what came before that the program throws away.
Answers with JSON: `code` (null when it was killed), `screen` (all that was shown), `sane` (whether a line can be typed and
seen again, and the cursor is shown).
"""

import json
import os
import pty
import select
import sys
import termios
import time


def is_sane(terminal, screen):
    modes = termios.tcgetattr(terminal)[3]
    wanted = termios.ICANON | termios.ECHO | termios.ISIG
    hidden, shown = screen.rfind(b"\x1b[?25l"), screen.rfind(b"\x1b[?25h")
    return modes & wanted == wanted and hidden <= shown


def is_listening(terminal, words):
    hides = not termios.tcgetattr(terminal)[3] & termios.ECHO
    return hides or "password" not in words.lower()


def main():
    seconds, program = float(sys.argv[1]), sys.argv[2:]
    script = json.load(sys.stdin)
    end = time.monotonic() + seconds
    master, terminal = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        # The terminal that is opened first belongs to the session.
        controlling = os.open(os.ttyname(terminal), os.O_RDWR)
        for descriptor in range(3):
            os.dup2(controlling, descriptor)
        os.close(master)
        os.execvp(program[0], program)
    screen, seen, status = b"", 0, None
    while status is None and time.monotonic() < end:
        if select.select([master], [], [], 0.02)[0]:
            screen += os.read(master, 65536)
        if script and script[0][0].encode() in screen[seen:] and is_listening(terminal, script[0][0]):
            seen = len(screen)
            os.write(master, script.pop(0)[1].encode())
        ended, code = os.waitpid(child, os.WNOHANG)
        status = code if ended else None
    while select.select([master], [], [], 0.1)[0]:
        screen += os.read(master, 65536)
    if status is None:
        os.killpg(child, 9)
        screen += b"\n(it was still running)"
    code = os.waitstatus_to_exitcode(status) if status is not None else -9
    told = {"code": code if code >= 0 else None, "screen": screen.decode(errors="replace"), "sane": is_sane(terminal, screen)}
    print(json.dumps(told))


main()
