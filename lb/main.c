/* Arguments and exit codes. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lb/base/units.h"
#include "lb/control/access_log.h"
#include "lb/control/admin.h"
#include "lb/control/commands.h"
#include "lb/control/request_log.h"
#include "lb/run/master.h"

static const char usage[] =
    "usage: lb [run] [-f PATH]...          serve; PATH is a file or a folder of *.ini (default: ./conf.d, "
    "then /etc/lb/conf.d)\n"
    "       lb check [-f PATH]...          load everything, listen on nothing, print every problem (also: lb "
    "-c)\n"
    "       lb check --reference           every key of the configuration, as Markdown\n"
    "       lb authorize [-f PATH]... -l LISTENER --cert FILE [--chain FILE] [--sni NAME] [--address IP] "
    "[--time RFC3339] [--ocsp FILE.der]\n"
    "                                      what would be decided about that certificate, and why\n"
    "       lb ctl [-f PATH]... [-s unix:/path] COMMAND\n"
    "                                      talk to the running lb; `lb ctl help` lists the commands\n"
    "       lb version                     versions, and what wolfSSL uses of this CPU (also: lb -v)\n"
    "signals: HUP reload, TERM and INT drain and stop (again: at once), USR1 reopen logs\n";

#define PATHS_MAX 64

struct parsed {
    struct arguments arguments;
    const char *paths[PATHS_MAX];
    const char *command;
    bool reference;
};

static const struct option options[] = {
    {"cert", required_argument, NULL, 'C'}, {"chain", required_argument, NULL, 'H'},
    {"sni", required_argument, NULL, 'S'},  {"address", required_argument, NULL, 'A'},
    {"time", required_argument, NULL, 'T'}, {"ocsp", required_argument, NULL, 'O'},
    {"reference", no_argument, NULL, 'R'},  {"listener", required_argument, NULL, 'l'},
    {"file", required_argument, NULL, 'f'}, {"socket", required_argument, NULL, 's'},
    {"help", no_argument, NULL, 'h'},       {"version", no_argument, NULL, 'v'},
    {"check", no_argument, NULL, 'c'},      {NULL, 0, NULL, 0},
};

static bool add_path(struct parsed *parsed, const char *path)
{
    if (parsed->arguments.path_count == PATHS_MAX)
        return false;
    parsed->paths[parsed->arguments.path_count++] = path;
    return true;
}

/* False: usage. */
static bool take_option(struct parsed *parsed, int option)
{
    struct arguments *arguments = &parsed->arguments;
    switch (option) {
    case 'f': return add_path(parsed, optarg);
    case 'l': arguments->listener = optarg; return true;
    case 's': arguments->socket = optarg; return true;
    case 'C': arguments->cert = optarg; return true;
    case 'H': arguments->chain = optarg; return true;
    case 'S': arguments->sni = optarg; return true;
    case 'A': arguments->address = optarg; return true;
    case 'T': arguments->time = optarg; return true;
    case 'O': arguments->ocsp = optarg; return true;
    case 'R': parsed->reference = true; return true;
    case 'c': parsed->command = "check"; return true;
    case 'v': parsed->command = "version"; return true;
    case 'h': parsed->command = "help"; return true;
    default: return false;
    }
}

static bool take_word(struct parsed *parsed, const char *word)
{
    if (!parsed->command)
        parsed->command = word;
    else if (!parsed->arguments.word && strcmp(parsed->command, "ctl") == 0)
        parsed->arguments.word = word;
    else
        return false;
    return true;
}

static bool parse(struct parsed *parsed, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "-f:l:s:cvh", options, NULL)) != -1)
        if (!(option == 1 ? take_word(parsed, optarg) : take_option(parsed, option)))
            return false;
    for (; optind < argc; optind++)
        if (!take_word(parsed, argv[optind]))
            return false;
    if (parsed->arguments.path_count == 0)
        add_path(parsed, access("conf.d", R_OK | X_OK) == 0 ? "conf.d" : "/etc/lb/conf.d");
    parsed->arguments.paths = parsed->paths;
    return true;
}

/* ---- run ---- */

struct running {
    struct admin *admin;
};

static bool on_started(struct master *master, void *context, const char **why)
{
    struct running *running = context;
    const char *path = snapshots_current(&master->snapshots)->admin;
    if (!path)
        return true;
    running->admin = admin_open(master, path, why);
    return running->admin != NULL;
}

static void on_ending(struct master *master, void *context)
{
    struct running *running = context;
    (void)master;
    admin_close(running->admin);
}

static int command_run(const struct arguments *arguments)
{
    struct running running = {0};
    struct master_hooks hooks = {access_log_write, request_log_write, on_started, on_ending, &running};
    return master_run(arguments->paths, arguments->path_count, &hooks);
}

/* ---- */

static int print_usage(FILE *out, int code)
{
    fputs(usage, out);
    return code;
}

static int unknown_command(const char *word)
{
    static const char *const names[] = {"run", "check", "authorize", "ctl", "version", "help", NULL};
    const char *near = units_nearest(word, names);
    fprintf(stderr, "lb: unknown command %s", word);
    fprintf(stderr, near ? "; did you mean %s?\n" : "\n", near);
    return print_usage(stderr, EXIT_USAGE);
}

static int run_command(const struct parsed *parsed)
{
    const char *command = parsed->command ? parsed->command : "run";
    const struct arguments *arguments = &parsed->arguments;
    if (strcmp(command, "run") == 0)
        return command_run(arguments);
    if (strcmp(command, "check") == 0)
        return parsed->reference ? command_reference() : command_check(arguments);
    if (strcmp(command, "authorize") == 0)
        return arguments->listener ? command_authorize(arguments) : print_usage(stderr, EXIT_USAGE);
    if (strcmp(command, "ctl") == 0)
        return arguments->word ? command_ctl(arguments) : print_usage(stderr, EXIT_USAGE);
    if (strcmp(command, "version") == 0)
        return command_version();
    return strcmp(command, "help") == 0 ? print_usage(stdout, EXIT_OK) : unknown_command(command);
}

int main(int argc, char **argv)
{
    struct parsed parsed = {0};
    if (!parse(&parsed, argc, argv))
        return print_usage(stderr, EXIT_USAGE);
    if (!tls_library_start()) {
        fputs("lb: wolfSSL does not start\n", stderr);
        return EXIT_CANNOT_RUN;
    }
    int code = run_command(&parsed);
    tls_library_stop();
    return code;
}
