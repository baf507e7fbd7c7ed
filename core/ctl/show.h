/* show.h -- the daemon's answers in words. */
#ifndef RG_CTL_SHOW_H
#define RG_CTL_SHOW_H

#include <jansson.h>

#include "text.h"

void show_status(const json_t *data);
void show_account(const json_t *data);
void show_explain(const json_t *data);
void show_plugins(const json_t *data);
/* A message as it passed. */
void show_traced(const json_t *line);
/* The faults of a reload or check, one line each. */
void show_faults(const json_t *faults);

void show_accounts_begin(struct text_table *);
void show_accounts_row(struct text_table *, const json_t *account);
void show_trunks_begin(struct text_table *);
void show_trunks_row(struct text_table *, const json_t *trunk);
void show_calls_begin(struct text_table *);
void show_calls_row(struct text_table *, const json_t *call);
void show_servers_begin(struct text_table *);
void show_servers_row(struct text_table *, const json_t *server);

#endif
