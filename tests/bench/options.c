#include "options.h"

#include "answer.h"

#include <getopt.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 100 /* what each proxy lets a client open at least */
#define ROUTES_MAX  100000
#define NAMES_MAX   10000

static const char usage[] =
    "usage: load MODE --port N --server-cert FILE [option]...\n"
    "  handshake   --count connections, --connections of them at a time: full handshake, one small request, "
    "close\n"
    "  request     --count small requests over --connections kept connections\n"
    "  bulk        --bytes in all, downloaded over --connections kept connections, one answer each\n"
    "  idle        --connections kept connections that do nothing until the line comes; then one request on "
    "each\n"
    "  http1       --count requests for --size bytes over --connections kept connections\n"
    "  http2       the same with --streams requests at the same time on each connection\n"
    "              --hosts N --paths N: spread over hN.SERVER_NAME/pN\n"
    "  --client-cert FILE  certificate and key of the client, PEM      --server-name NAME  default: "
    "bench.test\n"
    "  --timeout SECONDS   for each of opening and running, default 60\n"
    "  --plain             http1 only: without TLS, --server-cert is not needed\n"
    "  handshake only:\n"
    "  --resume            each connection but the first ones, which are not counted, uses the newest "
    "ticket\n"
    "  --tls12             TLS 1.2 instead of TLS 1.3\n"
    "  --names N           asks for any of nN.SERVER_NAME; the file has a certificate for each, n0 first\n"
    "  --http              the request is HTTP/1.1: the answer's header may change\n";

const char *const mode_names[MODE_COUNT] = {"handshake", "request", "bulk", "idle", "http1", "http2"};

void fail(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

static void set_mode(struct options *options, const char *name)
{
    for (options->mode = 0; options->mode < MODE_COUNT; options->mode++) {
        if (name != NULL && strcmp(name, mode_names[options->mode]) == 0) {
            return;
        }
    }
    fail(usage);
}

static void read_all(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"count", required_argument, NULL, 'n'},
        {"connections", required_argument, NULL, 'c'},
        {"bytes", required_argument, NULL, 'b'},
        {"timeout", required_argument, NULL, 't'},
        {"port", required_argument, NULL, 'p'},
        {"server-cert", required_argument, NULL, 's'},
        {"client-cert", required_argument, NULL, 'k'},
        {"server-name", required_argument, NULL, 'N'},
        {"size", required_argument, NULL, 'z'},
        {"streams", required_argument, NULL, 'm'},
        {"hosts", required_argument, NULL, 'H'},
        {"paths", required_argument, NULL, 'P'},
        {"plain", no_argument, NULL, 'x'},
        {"names", required_argument, NULL, 'S'},
        {"http", no_argument, NULL, '1'},
        {"resume", no_argument, NULL, 'r'},
        {"tls12", no_argument, NULL, '2'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'n': options->count = strtoull(optarg, NULL, 10); break;
        case 'c': options->connections = strtoull(optarg, NULL, 10); break;
        case 'b': options->bytes = strtoull(optarg, NULL, 10); break;
        case 't': options->timeout = strtoull(optarg, NULL, 10); break;
        case 'p': options->port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 's': options->server_cert = optarg; break;
        case 'k': options->client_cert = optarg; break;
        case 'z': options->size = strtoull(optarg, NULL, 10); break;
        case 'm': options->streams = strtoull(optarg, NULL, 10); break;
        case 'H': options->hosts = strtoull(optarg, NULL, 10); break;
        case 'P': options->paths = strtoull(optarg, NULL, 10); break;
        case 'x': options->plain = true; break;
        case 'N': options->server_name = optarg; break;
        case 'S': options->names = strtoull(optarg, NULL, 10); break;
        case '1': options->http = true; break;
        case 'r': options->resume = true; break;
        case '2': options->tls12 = true; break;
        default: fail(usage);
        }
    }
    set_mode(options, argv[optind]);
}

static bool handshakes_make_sense(const struct options *options)
{
    bool any = options->http || options->resume || options->tls12 || options->names > 0;
    return (!any || options->mode == MODE_HANDSHAKE) && options->names <= NAMES_MAX &&
           (options->names == 0 || !options->resume);
}

static bool make_sense(const struct options *options)
{
    return options->port != 0 && options->connections > 0 &&
           (options->server_cert != NULL || options->plain) &&
           (!options->plain || options->mode == MODE_HTTP1) &&
           (options->mode != MODE_BULK || options->bytes >= options->connections) && options->streams > 0 &&
           options->streams <= STREAMS_MAX && options->hosts <= ROUTES_MAX && options->paths <= ROUTES_MAX &&
           options->hosts * options->paths <= ROUTES_MAX && handshakes_make_sense(options);
}

void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.count = 1000,
                                .connections = 64,
                                .timeout = 60,
                                .size = ANSWER_SMALL,
                                .streams = 10,
                                .server_name = "bench.test"};
    read_all(options, argc, argv);
    if (!make_sense(options)) {
        fail(usage);
    }
}
