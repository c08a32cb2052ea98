/* Preloaded into a program: each time that it writes to its standard output, the writing thread opens the file that
   PROBE_FORBIDDEN names, which nobody granted, and what came of it is a line in the file that PROBE_REPORT names.
   So it is the kernel that is asked, and not the WASI layer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int report = -1;
static const char *forbidden;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PROBE_REPORT");
    forbidden = getenv("PROBE_FORBIDDEN");
    if (path && forbidden)
        report = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static void probe(void)
{
    char line[32];
    int before = errno;
    if (report < 0)
        return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, forbidden, O_RDONLY | O_CLOEXEC);
    int length = file < 0 ? snprintf(line, sizeof line, "refused, error %d\n", errno)
                          : snprintf(line, sizeof line, "opened\n");
    if (file >= 0)
        syscall(SYS_close, file);
    /* What isn't written is missing in the report, and that is a failure there. */
    (void)!syscall(SYS_write, report, line, (size_t)length);
    errno = before;
}

ssize_t write(int file, const void *bytes, size_t length)
{
    if (file == STDOUT_FILENO)
        probe();
    return syscall(SYS_write, file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    if (file == STDOUT_FILENO)
        probe();
    return syscall(SYS_writev, file, parts, count);
}
