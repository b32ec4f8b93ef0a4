"""A clock that can be set while processes run: a small library that is loaded before libc's own functions."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

/* The seconds by which the wall clock is wrong, in a file that the tests write. */
static volatile long long *shift;

__attribute__((constructor)) static void begin(void) {
    int file = open(CLOCK_FILE, O_RDONLY);
    void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) shift = at;
}

int clock_gettime(clockid_t which, struct timespec *told) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(which, told);
    int wall = which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE;
    if (!answer && shift && wall) told->tv_sec += *shift;
    return answer;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
"""
"""Only the wall clock: what is measured by the monotonic one goes on, as when an operator sets the time."""


def can_be_made() -> bool:
    """Whether there is a C compiler."""
    return shutil.which("cc") is not None


def library(directory: Path, clock: Path) -> Path:
    """Make the library, and the file that says how wrong the clock is: not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    set_clock(clock, 0)
    source, made = directory / "clock.c", directory / "clock.so"
    source.write_text(SOURCE)
    define = f'-DCLOCK_FILE="{clock.absolute()}"'
    subprocess.run(
        ["cc", "-O1", "-shared", "-fPIC", define, "-o", str(made), str(source), "-ldl"], check=True
    )
    return made.absolute()


def set_clock(clock: Path, seconds: int) -> None:
    """Set the clock wrong by so many seconds from now on."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(struct.pack("<q", seconds))
