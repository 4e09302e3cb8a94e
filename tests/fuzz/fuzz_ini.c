/* The guard before inih, the environment, the key table and the cross-checks, on one file in memory. Nothing
 * here opens a file or looks up a name. */
#include <stdint.h>

#include "lb/config/check.h"
#include "lb/config/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    struct source source = {.problems = &problems};
    struct draft draft;
    source_read(&source, "fuzz.ini", slice_make(data, size));
    draft_build(&draft, &source, false);
    check_settings(&draft, &source, &problems);
    problems_sort(&problems);
    draft_release(&draft);
    config_destroy(draft.config);
    source_free(&source);
    problems_free(&problems);
    return 0;
}
