/*
 * The log. Each thread writes whole lines into its own ring; one writer thread puts them out. A full ring
 * drops the line and counts it: no worker ever waits for a slow reader of the log.
 */
#ifndef LB_BASE_LOG_H
#define LB_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lb/base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_sink; /* where lines go; all threads */
struct log;      /* one thread's end of it */

#define LOG_LINE_MAX 16384

/* target: "stdout", "stderr" or a path (appended to). NULL on failure, *why (a static buffer of the calling
 * thread) says so. */
struct log_sink *log_open(const char *target, enum log_format format, enum log_level level, const char **why);

/* Puts out what is queued (bounded: at most one second when the reader is stuck), ends the writer, frees all
 * ends. */
void log_close(struct log_sink *sink);

/* The new settings hold for lines written after the call. false: the target cannot be opened, the old stays.
 */
bool log_configure(struct log_sink *sink, const char *target, enum log_format format, enum log_level level,
                   const char **why);

/* After rotation: the target is opened again. false: it cannot be, *why says so, and the old goes on. */
bool log_reopen(struct log_sink *sink, const char **why);
struct log *log_attach(struct log_sink *sink); /* an end for one more thread; lives until log_close */
enum log_format log_format(const struct log *log);
bool log_wants(const struct log *log, enum log_level level);
uint64_t log_dropped(const struct log_sink *sink); /* lines lost so far */

/* Queues one complete line; the newline is added. Lines over LOG_LINE_MAX are cut. */
void log_line(struct log *log, struct slice line);

/* An event of lb itself: "2026-01-02T03:04:05.678Z WARNING text" or {"time":…,"level":…,"event":…}. */
void log_event(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
