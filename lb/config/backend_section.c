#include "lb/config/backend_section.h"

#include <stdlib.h>

#include "lb/base/memory.h"

char *backend_host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (strncmp(address, "unix:", 5) == 0 || !colon)
        return NULL;
    if (address[0] == '[' && colon > address + 1 && colon[-1] == ']')
        return mem_copy_n(address + 1, (size_t)(colon - address) - 2);
    return mem_copy_n(address, (size_t)(colon - address));
}

static char *name_of(const struct backend_section *section, struct member_section *line)
{
    char *own = line->host;
    line->host = NULL;
    if (own)
        return own;
    return section->tls.name ? mem_copy(section->tls.name) : backend_host_of(line->member.addr_text);
}

static void choose_ca(struct tls_client_settings *settings)
{
    settings->system_ca = settings->verify && !settings->ca.path;
    if (settings->system_ca)
        settings->ca.path = mem_copy(TLS_SYSTEM_CA);
}

void backend_section_complete(struct backend_section *section)
{
    struct backend_tls *tls = &section->tls;
    size_t count = section->backend.member_count;
    tls->members = mem_new(count * sizeof(*tls->members));
    for (size_t i = 0; i < count; i++) {
        struct member_section *line = &section->lines[i];
        tls->members[i].line = line->number;
        tls->members[i].on = line->tls == SAYS_NOTHING ? tls->on : line->tls == SAYS_TLS;
        tls->members[i].name = name_of(section, line);
        tls->used = tls->used || tls->members[i].on;
    }
    if (tls->used)
        choose_ca(&tls->settings);
}

void backend_section_release(struct backend_section *section)
{
    for (size_t i = 0; i < section->backend.member_count; i++)
        free(section->lines[i].host);
    free(section->lines);
    section->lines = NULL;
}

void backend_tls_free(struct backend_tls *tls, size_t members)
{
    for (size_t i = 0; tls->members && i < members; i++)
        free(tls->members[i].name);
    tls_file_release(&tls->settings.ca);
    tls_file_release(&tls->settings.pair.certificate);
    tls_file_release(&tls->settings.pair.key);
    free(tls->settings.ciphers);
    free(tls->settings.groups);
    free(tls->members);
    free(tls->name);
    free(tls->alpn);
}
