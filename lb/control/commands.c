#include "lb/control/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "lb/base/regex.h"
#include "lb/base/version.h"
#include "lb/control/admin.h"
#include "lb/http/h2.h"

static void print_problems(const struct problems *problems)
{
    char line[1024];
    for (size_t i = 0; i < problems->count; i++) {
        problems_format(problems, i, line, sizeof(line));
        puts(line);
    }
}

int command_check(const struct arguments *arguments)
{
    struct problems problems = {0};
    struct config *config = config_load(arguments->paths, arguments->path_count, &problems);
    print_problems(&problems);
    if (config)
        printf("configuration is good: %zu listeners, %zu backends in %zu files\n", config->listener_count,
               config->backend_count, config->file_count);
    else
        printf("configuration refused: %zu problems\n", problems.errors);
    problems_free(&problems);
    if (!config)
        return EXIT_CONFIG;
    config_drop(config);
    return EXIT_OK;
}

int command_reference(void)
{
    config_reference(stdout);
    return EXIT_OK;
}

/* The socket that the configuration names; malloced, NULL if it has none or cannot be read. */
static char *configured_socket(const struct arguments *arguments)
{
    struct problems problems = {0};
    struct config *config = config_load(arguments->paths, arguments->path_count, &problems);
    char *path = config && config->admin ? strdup(config->admin) : NULL;
    problems_free(&problems);
    if (config)
        config_drop(config);
    return path;
}

static const char *without_scheme(const char *path)
{
    return strncmp(path, "unix:", 5) == 0 ? path + 5 : path;
}

int command_ctl(const struct arguments *arguments)
{
    const char *named = arguments->socket ? arguments->socket : getenv("LB_ADMIN");
    char *configured = named ? NULL : configured_socket(arguments);
    int code = EXIT_CANNOT_RUN;
    if (named || configured)
        code = admin_call(without_scheme(named ? named : configured), arguments->word);
    else
        fputs("lb ctl: no admin socket: set `admin = unix:/path` in [global], or give -s unix:/path\n",
              stderr);
    free(configured);
    return code;
}

int command_version(void)
{
    char cpu[256];
    tls_library_cpu(cpu, sizeof(cpu));
    printf("lb %s\n", LB_VERSION);
    printf("wolfSSL %s (%s)\n", tls_library_version(), cpu);
    printf("libuv %s\n", uv_version_string());
    printf("%s\n", script_language());
    printf("%s\n", http1_library());
    printf("%s\n", http2_library());
    printf("%s\n", regex_library());
    return EXIT_OK;
}
