/*
 * A TLS client on wolfSSL for the tests: wolfssl_client PORT 1.2|1.3 CA-FILE COUNT [CERTIFICATE KEY]. Makes
 * COUNT connections to 127.0.0.1, each after the first with what the one before left it to resume. On each it
 * sends what stood on its standard input and reads to the end. Prints "VERSION REUSED ANSWER'S-LAST-LINE" for
 * each; exit code 1 after an error.
 */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 16384 };

static WOLFSSL_CTX *make_context(char **argument, bool mutual)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(strcmp(argument[2], "1.2") == 0 ? wolfTLSv1_2_client_method()
                                                                       : wolfTLSv1_3_client_method());
    if (!ctx || wolfSSL_CTX_load_verify_locations(ctx, argument[3], NULL) != WOLFSSL_SUCCESS)
        return NULL;
    wolfSSL_CTX_UseSessionTicket(ctx);
    if (mutual &&
        (wolfSSL_CTX_use_certificate_chain_file(ctx, argument[5]) != WOLFSSL_SUCCESS ||
         wolfSSL_CTX_use_PrivateKey_file(ctx, argument[6], WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS))
        return NULL;
    return ctx;
}

static int open_socket(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* Writes the request and reads until the server has ended; false after an error. */
static bool talk(WOLFSSL *ssl, const char *request, char *answer)
{
    size_t len = 0;
    int got;
    if (wolfSSL_write(ssl, request, (int)strlen(request)) <= 0)
        return false;
    while ((got = wolfSSL_read(ssl, answer + len, (int)(TEXT_MAX - 1 - len))) > 0)
        len += (size_t)got;
    answer[len] = '\0';
    return wolfSSL_get_error(ssl, got) == WOLFSSL_ERROR_ZERO_RETURN;
}

static const char *last_line(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static bool one(WOLFSSL_CTX *ctx, const char *port, const char *request, WOLFSSL_SESSION **session)
{
    char answer[TEXT_MAX], words[WOLFSSL_MAX_ERROR_SZ];
    int fd = open_socket(port);
    WOLFSSL *ssl = wolfSSL_new(ctx);
    if (fd < 0 || !ssl || wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS ||
        wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, "localhost", 9) != WOLFSSL_SUCCESS ||
        wolfSSL_check_domain_name(ssl, "localhost") != WOLFSSL_SUCCESS)
        return false;
    if (*session)
        wolfSSL_set_session(ssl, *session); /* one without a ticket is not taken */
    bool good = wolfSSL_connect(ssl) == WOLFSSL_SUCCESS && talk(ssl, request, answer);
    if (good)
        printf("%s %d %s\n", wolfSSL_get_version(ssl), wolfSSL_session_reused(ssl), last_line(answer));
    else
        fprintf(stderr, "%s\n", wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, 0), words));
    wolfSSL_SESSION_free(*session);
    *session = wolfSSL_get1_session(ssl);
    wolfSSL_shutdown(ssl);
    wolfSSL_free(ssl);
    close(fd);
    return good;
}

int main(int count, char **argument)
{
    char request[TEXT_MAX] = "";
    WOLFSSL_SESSION *session = NULL;
    if (count != 5 && count != 7)
        return 2;
    size_t len = fread(request, 1, sizeof request - 1, stdin);
    request[len] = '\0';
    wolfSSL_Init();
    WOLFSSL_CTX *ctx = make_context(argument, count == 7);
    bool good = ctx != NULL;
    for (int i = 0; good && i < atoi(argument[4]); i++)
        good = one(ctx, argument[1], request, &session);
    wolfSSL_SESSION_free(session);
    wolfSSL_CTX_free(ctx);
    wolfSSL_Cleanup();
    return good ? 0 : 1;
}
