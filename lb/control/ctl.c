/* The client's side of the admin socket: plain blocking calls, for `lb ctl`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lb/control/admin.h"

int admin_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = send(fd, bytes, len, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

/* The first line is the result, the rest goes to the user. */
static int print_answer(int fd)
{
    char line[4096];
    FILE *in = fdopen(fd, "r");
    if (!in || !fgets(line, sizeof(line), in)) {
        fputs("lb ctl: no answer\n", stderr);
        if (in)
            fclose(in);
        return EXIT_CANNOT_RUN;
    }
    bool good = strcmp(line, "ok\n") == 0;
    while (fgets(line, sizeof(line), in))
        fputs(line, good ? stdout : stderr);
    fclose(in);
    return good ? EXIT_OK : EXIT_CONFIG;
}

int admin_call(const char *path, const char *command)
{
    int fd = admin_connect(path);
    if (fd < 0) {
        fprintf(stderr, "lb ctl: %s: %s; is lb running with `admin = unix:%s`?\n", path, strerror(errno),
                path);
        return EXIT_CANNOT_RUN;
    }
    if (send_all(fd, command, strlen(command)) && send_all(fd, "\n", 1))
        return print_answer(fd);
    fprintf(stderr, "lb ctl: %s: %s\n", path, strerror(errno));
    close(fd);
    return EXIT_CANNOT_RUN;
}
