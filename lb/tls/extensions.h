/* A certificate's extensions (RFC 5280 section 4.2), read where they are. */
#ifndef LB_TLS_EXTENSIONS_H
#define LB_TLS_EXTENSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"

struct extension {
    struct slice oid; /* content bytes */
    bool critical;
    struct slice value; /* content of extnValue */
};

/* Content bytes of the OIDs that are looked at. */
#define OID_SUBJECT_KEY_ID   SLICE_LITERAL("\x55\x1d\x0e")
#define OID_KEY_USAGE        SLICE_LITERAL("\x55\x1d\x0f")
#define OID_SUBJECT_NAMES    SLICE_LITERAL("\x55\x1d\x11")
#define OID_BASIC            SLICE_LITERAL("\x55\x1d\x13")
#define OID_NAME_CONSTRAINTS SLICE_LITERAL("\x55\x1d\x1e")
#define OID_POLICIES         SLICE_LITERAL("\x55\x1d\x20")
#define OID_POLICY_LIMITS    SLICE_LITERAL("\x55\x1d\x24")
#define OID_AUTHORITY_KEY_ID SLICE_LITERAL("\x55\x1d\x23")
#define OID_EXTENDED_USAGE   SLICE_LITERAL("\x55\x1d\x25")
#define OID_EKU_ANY          SLICE_LITERAL("\x55\x1d\x25\x00")
#define OID_EKU_SERVER       SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_EKU_CLIENT       SLICE_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x02")

enum general_name {
    NAME_OTHER = 0,
    NAME_EMAIL = 1,
    NAME_DNS = 2,
    NAME_X400 = 3,
    NAME_DIRECTORY = 4,
    NAME_EDI = 5,
    NAME_URI = 6,
    NAME_IP = 7,
    NAME_REGISTERED_ID = 8,
};

enum key_usage { USAGE_SIGNATURE = 0, USAGE_CERT_SIGN = 5, USAGE_CRL_SIGN = 6 };

/* The next of a list of extensions. False: none left, or malformed (then `list` is not empty). */
bool extension_next(struct slice *list, struct extension *out);

/* False if there is none with this OID. */
bool extension_find(struct slice list, struct slice oid, struct extension *out);

/* NULL, or what is wrong: malformed, twice the same, too many, or a subject alternative name with controls.
 */
const char *extensions_problem(struct slice list);

/* The next subject alternative name; `kind` is the tag's number (enum general_name). */
bool alternative_name_next(struct slice *names, unsigned *kind, struct slice *value);
bool alternative_names(struct slice list, struct slice *names); /* false: no such extension */

/* policyConstraints with requireExplicitPolicy, or what cannot be read as either. */
bool certificate_requires_policy(struct slice list);

/* Key usage bits, first bit (digitalSignature) = 0x100 … decipherOnly = 0x001. False: no such extension. */
bool key_usage(struct slice list, unsigned *bits);
bool key_usage_has(struct slice list, enum key_usage bit); /* true also if the extension is absent */

/* True if extendedKeyUsage is absent, or holds `oid`, or anyExtendedKeyUsage. */
bool extended_usage_allows(struct slice list, struct slice oid);

/* basicConstraints: cA. False also if absent. */
bool extension_is_ca(struct slice list);

/* keyIdentifier of the issuer, and of the subject. Empty if absent. */
struct slice authority_key_id(struct slice list);
struct slice subject_key_id(struct slice list);

#endif
