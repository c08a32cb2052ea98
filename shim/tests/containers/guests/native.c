/* What the modules do, as a native program does it. Exit code 0 if it came to the end, 3 if it was stopped on its way. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAILED = 2, STOPPED = 3 };

static int read_file(const char *path)
{
    static char bytes[65536];
    int fd = open(path, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    return size >= 0 && write(STDOUT_FILENO, bytes, size) == size;
}

static int echo(void)
{
    static char bytes[1024];
    ssize_t size = isatty(STDIN_FILENO) ? 9 : 5;
    if (write(STDOUT_FILENO, size == 9 ? "terminal\n" : "pipe\n", size) != size)
        return 0;
    while ((size = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        if (write(STDOUT_FILENO, bytes, size) != size)
            return 0;
    return size == 0;
}

static int write_file(const char *path)
{
    int fd = open(path, O_WRONLY);
    return fd >= 0 && write(fd, "evil", 4) == 4;
}

static int connect_to(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0 && write(fd, "hello\n", 6) == 6;
}

/* The processes end with this one. */
static int start_processes(int count)
{
    pid_t parent = getpid();
    for (int made = 0; made < count; made++) {
        pid_t child = fork();
        if (child < 0)
            return 0;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                pause();
            _exit(0);
        }
    }
    return 1;
}

static int take_memory(size_t size)
{
    volatile char *bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    for (size_t at = 0; at < size; at += 4096)
        bytes[at] = 1;
    return 1;
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    const char *with = count > 2 ? arguments[2] : "";
    int done = 0;
    if (strcmp(what, "read") == 0)
        done = read_file(with);
    else if (strcmp(what, "echo") == 0)
        done = echo();
    else if (strcmp(what, "write") == 0)
        done = write_file(with);
    else if (strcmp(what, "connect") == 0)
        done = connect_to(atoi(with));
    else if (strcmp(what, "processes") == 0)
        done = start_processes(atoi(with));
    else if (strcmp(what, "memory") == 0)
        done = take_memory(strtoul(with, NULL, 10));
    else if (strcmp(what, "ready") == 0) {
        done = write(STDOUT_FILENO, "ready\n", 6) == 6;
        sleep(3600);
    } else
        return FAILED;
    return done ? 0 : STOPPED;
}
