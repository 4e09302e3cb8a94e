#include "lb/control/admin.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lb/base/memory.h"
#include "lb/base/units.h"
#include "lb/control/certificates.h"
#include "lb/control/metrics.h"

#define COMMAND_MAX 1024
#define PATIENCE_MS 10000 /* for the command to come and the answer to be read */

struct admin {
    uv_pipe_t socket;
    struct master *master;
    struct admin_client *clients;
    char *path;
};

struct admin_client {
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    struct admin *admin;
    struct admin_client *next;
    unsigned handles;
    size_t len;
    char command[COMMAND_MAX];
    char *answer;
    size_t answer_len;
};

/* ---- commands ---- */

static bool do_status(struct master *master, FILE *out)
{
    status_write(master, out);
    return true;
}

static bool do_metrics(struct master *master, FILE *out)
{
    metrics_write(master, out);
    return true;
}

static bool do_certificates(struct master *master, FILE *out)
{
    certificates_write(snapshots_current(&master->snapshots), out);
    return true;
}

static bool do_reload(struct master *master, FILE *out)
{
    struct problems problems = {0};
    char line[1024];
    bool done = master_reload(master, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        problems_format(&problems, i, line, sizeof(line));
        fprintf(out, "%s\n", line);
    }
    fprintf(out,
            done ? "generation %u serves new connections\n" : "refused; generation %u goes on as it was\n",
            master->snapshots.last_number);
    problems_free(&problems);
    return done;
}

static bool do_help(struct master *master, FILE *out);

static const struct command {
    const char *name, *help;
    bool (*run)(struct master *master, FILE *out); /* false: refused */
} commands[] = {
    {"status", "listeners, servers and why connections were refused", do_status},
    {"metrics", "all counters in the Prometheus text format", do_metrics},
    {"certificates", "certificates and CRLs in use, with the days left", do_certificates},
    {"reload", "read the configuration again, all or nothing (as SIGHUP)", do_reload},
    {"help", "this list", do_help},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static bool do_help(struct master *master, FILE *out)
{
    (void)master;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "%-12s %s\n", commands[i].name, commands[i].help);
    return true;
}

static bool unknown(const char *name, FILE *out)
{
    const char *names[COMMAND_COUNT + 1] = {NULL};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *near = units_nearest(name, names);
    fprintf(out, near ? "unknown command; did you mean %s?\n" : "unknown command; `lb ctl help` lists them\n",
            near);
    return false;
}

static bool run_command(struct master *master, const char *name, FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(master, out);
    return unknown(name, out);
}

/* ---- one client ---- */

static void on_client_closed(uv_handle_t *handle)
{
    struct admin_client *client = handle->data;
    if (--client->handles > 0)
        return;
    free(client->answer);
    free(client);
}

static void close_client(struct admin_client *client)
{
    struct admin_client **link = &client->admin->clients;
    while (*link && *link != client)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = client->next;
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
    uv_close((uv_handle_t *)&client->timer, on_client_closed);
}

/* Cancelled: the client is being closed, and at the end of the process the admin socket may be gone already.
 */
static void on_answered(uv_write_t *write, int status)
{
    if (status != UV_ECANCELED)
        close_client(write->handle->data);
}

static void answer(struct admin_client *client)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) {
        close_client(client);
        return;
    }
    bool good = run_command(client->admin->master, client->command, out);
    fclose(out);
    client->answer = mem_printf("%s\n%s", good ? "ok" : "error", text);
    free(text);
    uv_buf_t buf = uv_buf_init(client->answer, (unsigned)strlen(client->answer));
    if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &buf, 1, on_answered) != 0)
        close_client(client);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct admin_client *client = handle->data;
    (void)suggested;
    *buf = uv_buf_init(client->command + client->len, (unsigned)(COMMAND_MAX - 1 - client->len));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct admin_client *client = stream->data;
    (void)buf;
    if (got == 0)
        return;
    if (got < 0) {
        close_client(client);
        return;
    }
    client->len += (size_t)got;
    client->command[client->len] = '\0';
    char *end = strchr(client->command, '\n');
    if (!end && client->len < COMMAND_MAX - 1)
        return;
    if (end)
        *end = '\0';
    uv_read_stop(stream);
    answer(client);
}

static void on_impatient(uv_timer_t *timer)
{
    close_client(timer->data);
}

static void on_connection(uv_stream_t *socket, int status)
{
    struct admin *admin = socket->data;
    struct admin_client *client = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    if (!client)
        return;
    client->admin = admin;
    client->next = admin->clients;
    client->handles = 2;
    client->pipe.data = client->timer.data = client;
    admin->clients = client;
    uv_pipe_init(socket->loop, &client->pipe, 0);
    uv_timer_init(socket->loop, &client->timer);
    uv_timer_start(&client->timer, on_impatient, PATIENCE_MS, 0);
    if (uv_accept(socket, (uv_stream_t *)&client->pipe) != 0 ||
        uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0)
        close_client(client);
}

/* ---- the socket ---- */

static void on_socket_closed(uv_handle_t *handle)
{
    struct admin *admin = handle->data;
    free(admin->path);
    free(admin);
}

/* Whoever can open the socket rules the process: nobody but its owner, from the first moment. */
static int bind_privately(struct admin *admin)
{
    mode_t before = umask(0177);
    int error = uv_pipe_bind(&admin->socket, admin->path);
    umask(before);
    return error;
}

static bool answered(const char *path)
{
    int fd = admin_connect(path);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

struct admin *admin_open(struct master *master, const char *path, const char **why)
{
    struct stat info;
    *why = "the admin socket is in use by another lb";
    if (answered(path))
        return NULL;
    if (stat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path); /* left over from a process that was killed */
    struct admin *admin = mem_new(sizeof(*admin));
    admin->master = master;
    admin->path = mem_copy(path);
    uv_pipe_init(&master->loop, &admin->socket, 0);
    admin->socket.data = admin;
    int error = bind_privately(admin);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&admin->socket, 64, on_connection);
    if (error == 0)
        return admin;
    *why = error == UV_EACCES ? "cannot make the admin socket: no such folder, or no permission"
                              : uv_strerror(error);
    uv_close((uv_handle_t *)&admin->socket, on_socket_closed);
    return NULL;
}

void admin_close(struct admin *admin)
{
    if (!admin)
        return;
    while (admin->clients)
        close_client(admin->clients);
    uv_close((uv_handle_t *)&admin->socket, on_socket_closed);
}
