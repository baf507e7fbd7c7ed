/*
 * regsim - a fast SIP registrar (and simple UAS) simulator over UDP.
 *
 * One process, one thread: epoll + recvmmsg + sendmmsg.  It plays one or
 * several registrars, checks digest credentials, can be told to misbehave,
 * and reports what it saw as JSON.  See README.md for usage.
 *
 * Build: cc -std=c11 -O2 -o regsim regsim.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_ADDRS = 4096,  /* listening addresses */
    TOLD_ADDRS = 256,  /* of which a report tells: it is one datagram */
    BATCH = 64,        /* datagrams per recvmmsg */
    TXQ = 256,         /* datagrams per sendmmsg */
    MSG_MAX = 8192,    /* largest datagram handled */
    MAX_HDRS = 16,     /* Via / Record-Route headers kept per message */
    MAX_FAILS = 8,     /* --fail rules */
    CALL_BUCKETS = 1 << 16,
    T1_MS = 500,
    T2_MS = 4000,
    CALL_GIVE_UP_MS = 32000,
};

static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("regsim: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static void *xrealloc(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        die("out of memory");
    return p;
}

/* ------------------------------------------------------------------ strings */

struct str {
    const char *p;
    size_t n;
};

#define S(lit) ((struct str){ (lit), sizeof(lit) - 1 })

static bool str_ieq(struct str a, struct str b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static struct str str_trim(struct str s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s.p++, s.n--;
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static uint64_t str_u64(struct str s)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    return v;
}

static uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t hash_bytes(uint64_t h, struct str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        h = mix64(h ^ w) + 0x9e3779b97f4a7c15u;
    }
    uint64_t w = s.n;
    for (; i < s.n; i++)
        w = w << 8 | (unsigned char)s.p[i];
    return mix64(h ^ w);
}

/* ---------------------------------------------------------------------- MD5 */

struct md5 {
    uint32_t s[4];
    uint64_t len;
    unsigned char buf[64];
};

static uint32_t rol(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void md5_block(uint32_t st[4], const unsigned char *p)
{
    static const uint32_t K[64] = {
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
        0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
        0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
        0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
        0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
        0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
        0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
        0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
        0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
        0xeb86d391,
    };
    static const unsigned char R[4][4] = {
        { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 }
    };
    uint32_t w[16], a = st[0], b = st[1], c = st[2], d = st[3];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[i * 4] | (uint32_t)p[i * 4 + 1] << 8 | (uint32_t)p[i * 4 + 2] << 16 |
               (uint32_t)p[i * 4 + 3] << 24;
#define STEP(f, g)                                                        \
    do {                                                                  \
        uint32_t t = d;                                                   \
        d = c;                                                            \
        c = b;                                                            \
        b = b + rol(a + (f) + K[i] + w[(g) & 15], R[i >> 4][i & 3]);      \
        a = t;                                                            \
    } while (0)
    for (int i = 0; i < 64; i++) {
        uint32_t f;
        int g;
        if (i < 16)
            f = (b & c) | (~b & d), g = i;
        else if (i < 32)
            f = (d & b) | (~d & c), g = 5 * i + 1;
        else if (i < 48)
            f = b ^ c ^ d, g = 3 * i + 5;
        else
            f = c ^ (b | ~d), g = 7 * i;
        STEP(f, g);
    }
#undef STEP
    st[0] += a;
    st[1] += b;
    st[2] += c;
    st[3] += d;
}

static void md5_init(struct md5 *m)
{
    *m = (struct md5){ .s = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 } };
}

static void md5_add(struct md5 *m, struct str s)
{
    size_t have = m->len & 63;
    m->len += s.n;
    while (s.n) {
        size_t k = 64 - have < s.n ? 64 - have : s.n;
        memcpy(m->buf + have, s.p, k);
        have += k;
        s.p += k;
        s.n -= k;
        if (have == 64) {
            md5_block(m->s, m->buf);
            have = 0;
        }
    }
}

static void md5_hex(struct md5 *m, char out[32])
{
    size_t have = m->len & 63;
    uint64_t bits = m->len * 8;
    m->buf[have++] = 0x80;
    if (have > 56) {
        memset(m->buf + have, 0, 64 - have);
        md5_block(m->s, m->buf);
        have = 0;
    }
    memset(m->buf + have, 0, 56 - have);
    for (int i = 0; i < 8; i++)
        m->buf[56 + i] = (unsigned char)(bits >> (8 * i));
    md5_block(m->s, m->buf);
    for (int i = 0; i < 16; i++) {
        unsigned b = m->s[i >> 2] >> (8 * (i & 3)) & 255;
        out[2 * i] = "0123456789abcdef"[b >> 4];
        out[2 * i + 1] = "0123456789abcdef"[b & 15];
    }
}

/* ------------------------------------------------------------- configuration */

struct fail_rule {
    int code;
    double p;
};

static struct {
    bool auth, qop, strict_nc, nonce_once, quiet;
    int invite_challenge; /* 0, 401 or 407 */
    int invite_code;      /* final answer to an authorised INVITE */
    int bad_code;         /* answer to wrong credentials */
    unsigned expires;     /* granted at most; 0: as asked */
    unsigned min_expires;
    unsigned retry_after;
    unsigned nonce_ttl;
    unsigned answer_ms, bye_ms, delay_ms;
    double drop, drop_reply, stale;
    struct fail_rule fail[MAX_FAILS];
    int nfail;
    const char *realm, *password, *auth_user, *json;
    unsigned duration;
    uint64_t expect;
    bool exit_on_expect;
} cfg = {
    .auth = true,
    .qop = true,
    .invite_challenge = 401,
    .invite_code = 200,
    .bad_code = 401,
    .expires = 3600,
    .realm = "regsim",
    .password = "pw-%u",
    .auth_user = "%u",
};

enum addr_mode { MODE_OK, MODE_SILENT, MODE_CODE };

static struct addr {
    int fd;
    struct sockaddr_in sa;
    char text[32];
    enum addr_mode mode;
    int code;
    uint64_t rx, reg_ok;
} addrs[MAX_ADDRS];
static int naddrs;

/* ------------------------------------------------------------------ counters */

#define COUNTERS(X)                                                                      \
    X(rx) X(tx) X(dropped_in) X(dropped_out) X(silent) X(malformed) X(registers)          \
    X(register_ok) X(refreshes) X(unregisters) X(challenges) X(stale_challenges)          \
    X(wrong_digest) X(wrong_user) X(wrong_realm) X(unknown_nonce) X(old_nonce) X(nc_replays)             \
    X(digest_uri_mismatch) X(cseq_not_increasing) X(callid_changes) X(retransmissions)    \
    X(rejected) X(too_brief) X(lapses) X(options) X(invites) X(invite_challenges)         \
    X(calls_answered) X(reinvites) X(calls_acked) X(calls_ended) X(calls_no_ack) X(byes_sent)          \
    X(retransmitted_200) X(calls_unknown) X(responses) X(other)

static struct counters {
#define X(n) uint64_t n;
    COUNTERS(X)
#undef X
} cnt, cnt_prev;

static uint64_t max_ok_per_s, max_rx_per_s;
static int64_t max_lapse_ms, min_margin_ms = INT64_MAX, margin_sum_ms;
static int64_t first_register_ms, start_ms, mark_ms, mark_first_ms;
static uint64_t mark_aors;
static int64_t mark_last_ms, mark_expect_ms;
static int64_t now_ms;
static uint64_t now_us;
static volatile sig_atomic_t stop_flag;
static uint64_t rng = 0x243f6a8885a308d3u, secret;

static double rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (double)(rng >> 11) * 0x1p-53;
}

static void tick(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    now_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
    now_ms = (int64_t)(now_us / 1000);
}

/* --------------------------------------------------------------- AOR storage */

struct aor {
    uint64_t hash;
    uint64_t txn[2];     /* last transaction seen: without, with credentials */
    uint64_t callid;     /* hash of the last Call-ID */
    int64_t expires_at;  /* ms; 0: no binding */
    int64_t mark_at;     /* first success since the mark, ms; 0: none */
    char *key;           /* user@host */
    char *contact;       /* last Contact URI bound */
    uint32_t cseq, nonce, nc, oks;
    uint16_t code[2];    /* what was answered to txn[] */
    bool stale[2]; /* and whether it said stale */
    uint16_t addr;       /* which address holds the binding */
    bool ever;
};

static struct aor *aors;
static size_t naors, aors_cap;
static uint64_t nregistered_ever;
static uint32_t *aor_index; /* position + 1, open addressing */
static size_t aor_index_cap;

static struct aor *aor_get(struct str key, bool create)
{
    uint64_t h = hash_bytes(1, key) | 1;
    if (create && (naors + 1) * 2 > aor_index_cap) {
        size_t cap = aor_index_cap ? aor_index_cap * 2 : 4096;
        uint32_t *idx = calloc(cap, sizeof *idx);
        if (!idx)
            die("out of memory");
        for (size_t i = 0; i < naors; i++) {
            size_t k = aors[i].hash & (cap - 1);
            while (idx[k])
                k = (k + 1) & (cap - 1);
            idx[k] = (uint32_t)(i + 1);
        }
        free(aor_index);
        aor_index = idx;
        aor_index_cap = cap;
    }
    if (!aor_index_cap)
        return NULL;
    size_t k = h & (aor_index_cap - 1);
    for (; aor_index[k]; k = (k + 1) & (aor_index_cap - 1)) {
        struct aor *a = &aors[aor_index[k] - 1];
        if (a->hash == h && strlen(a->key) == key.n && memcmp(a->key, key.p, key.n) == 0)
            return a;
    }
    if (!create)
        return NULL;
    if (naors == aors_cap) {
        aors_cap = aors_cap ? aors_cap * 2 : 1024;
        aors = xrealloc(aors, aors_cap * sizeof *aors);
    }
    struct aor *a = &aors[naors++];
    *a = (struct aor){ .hash = h, .key = strndup(key.p, key.n) };
    if (!a->key)
        die("out of memory");
    aor_index[k] = (uint32_t)naors;
    return a;
}

/* ------------------------------------------------------------------- parsing */

struct msg {
    struct str method, ruri;
    bool is_response;
    int status;
    struct str via[MAX_HDRS], rr[MAX_HDRS];
    int nvia, nrr;
    struct str from, to, callid, cseq, contact, expires, auth, pauth;
};

static bool parse_msg(struct str raw, struct msg *m)
{
    memset(m, 0, sizeof *m);
    const char *p = raw.p, *end = raw.p + raw.n;
    const char *nl = memchr(p, '\n', raw.n);
    if (!nl)
        return false;
    struct str line = str_trim((struct str){ p, (size_t)(nl - p) });
    if (line.n > 8 && memcmp(line.p, "SIP/2.0 ", 8) == 0) {
        m->is_response = true;
        m->status = (int)str_u64((struct str){ line.p + 8, line.n - 8 });
    } else {
        const char *sp = memchr(line.p, ' ', line.n);
        if (!sp)
            return false;
        m->method = (struct str){ line.p, (size_t)(sp - line.p) };
        const char *u = sp + 1;
        const char *sp2 = memchr(u, ' ', (size_t)(line.p + line.n - u));
        if (!sp2)
            return false;
        m->ruri = (struct str){ u, (size_t)(sp2 - u) };
    }
    for (p = nl + 1; p < end; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl)
            nl = end;
        /* a folded header continues on a line that starts with white space */
        while (nl + 1 < end && (nl[1] == ' ' || nl[1] == '\t')) {
            const char *q = memchr(nl + 1, '\n', (size_t)(end - nl - 1));
            nl = q ? q : end;
        }
        if (nl - p <= 1)
            break; /* end of the headers */
        const char *colon = memchr(p, ':', (size_t)(nl - p));
        if (!colon)
            return false;
        struct str name = str_trim((struct str){ p, (size_t)(colon - p) });
        struct str val = str_trim((struct str){ colon + 1, (size_t)(nl - colon - 1) });
        if (!name.n)
            return false;
        switch (name.p[0] | 0x20) {
        case 'v':
            if ((name.n == 1 || str_ieq(name, S("Via"))) && m->nvia < MAX_HDRS)
                m->via[m->nvia++] = val;
            break;
        case 'f':
            if (name.n == 1 || str_ieq(name, S("From")))
                m->from = val;
            break;
        case 't':
            if (name.n == 1 || str_ieq(name, S("To")))
                m->to = val;
            break;
        case 'i':
            if (name.n == 1)
                m->callid = val;
            break;
        case 'm':
            if (name.n == 1)
                m->contact = val;
            break;
        case 'c':
            if (str_ieq(name, S("Call-ID")))
                m->callid = val;
            else if (str_ieq(name, S("CSeq")))
                m->cseq = val;
            else if (str_ieq(name, S("Contact")) && !m->contact.n)
                m->contact = val;
            break;
        case 'e':
            if (str_ieq(name, S("Expires")))
                m->expires = val;
            break;
        case 'a':
            if (str_ieq(name, S("Authorization")))
                m->auth = val;
            break;
        case 'p':
            if (str_ieq(name, S("Proxy-Authorization")))
                m->pauth = val;
            break;
        case 'r':
            if (str_ieq(name, S("Record-Route")) && m->nrr < MAX_HDRS)
                m->rr[m->nrr++] = val;
            break;
        }
    }
    return m->nvia && m->from.n && m->to.n && m->callid.n && m->cseq.n;
}

/* The URI of a name-addr or addr-spec; header parameters go to *params. */
static struct str get_uri(struct str v, struct str *params)
{
    if (!v.p)
        v.p = "";
    struct str none = { v.p + v.n, 0 };
    if (params)
        *params = none;
    const char *lt = memchr(v.p, '<', v.n);
    if (lt) {
        const char *gt = memchr(lt, '>', (size_t)(v.p + v.n - lt));
        if (!gt)
            return none;
        if (params)
            *params = (struct str){ gt + 1, (size_t)(v.p + v.n - gt - 1) };
        return (struct str){ lt + 1, (size_t)(gt - lt - 1) };
    }
    size_t n = 0;
    while (n < v.n && v.p[n] != ';' && v.p[n] != ',')
        n++;
    if (params)
        *params = (struct str){ v.p + n, v.n - n };
    return str_trim((struct str){ v.p, n });
}

/* user@host and user of a SIP URI, without scheme, port and parameters. */
static struct str uri_aor(struct str uri, struct str *user)
{
    const char *c = memchr(uri.p, ':', uri.n);
    if (c) {
        uri.n -= (size_t)(c + 1 - uri.p);
        uri.p = c + 1;
    }
    const char *at = memchr(uri.p, '@', uri.n);
    const char *h = at ? at + 1 : uri.p;
    *user = (struct str){ uri.p, at ? (size_t)(at - uri.p) : 0 };
    const char *e = uri.p + uri.n;
    while (h < e && *h != ':' && *h != ';' && *h != '?')
        h++;
    return (struct str){ uri.p, (size_t)(h - uri.p) };
}

/* The value of ;name=value in header parameters. */
static bool get_param(struct str params, struct str name, struct str *val)
{
    const char *p = params.p, *end = p + params.n;
    while (p < end) {
        const char *semi = memchr(p, ';', (size_t)(end - p));
        if (!semi)
            semi = end;
        struct str one = str_trim((struct str){ p, (size_t)(semi - p) });
        const char *eq = memchr(one.p, '=', one.n);
        struct str k = { one.p, eq ? (size_t)(eq - one.p) : one.n };
        if (str_ieq(str_trim(k), name)) {
            *val = eq ? str_trim((struct str){ eq + 1, (size_t)(one.p + one.n - eq - 1) })
                      : (struct str){ one.p, 0 };
            return true;
        }
        p = semi + 1;
    }
    return false;
}

/* ------------------------------------------------------------------- sending */

struct out {
    char *p;
    size_t n, cap;
};

static void put(struct out *o, struct str s)
{
    if (s.n > o->cap - o->n)
        s.n = o->cap - o->n;
    if (s.n)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static void put_u64(struct out *o, uint64_t v)
{
    char b[20];
    size_t i = sizeof b;
    do
        b[--i] = (char)('0' + v % 10);
    while (v /= 10);
    put(o, (struct str){ b + i, sizeof b - i });
}

static void put_hex(struct out *o, uint64_t v, int digits)
{
    char b[16];
    for (int i = digits; i-- > 0; v >>= 4)
        b[i] = "0123456789abcdef"[v & 15];
    put(o, (struct str){ b, (size_t)digits });
}

static char tx_buf[TXQ][MSG_MAX];
static struct sockaddr_in tx_sa[TXQ];
static struct iovec tx_iov[TXQ];
static struct mmsghdr tx_msg[TXQ];
static int ntx, tx_fd = -1;

struct delayed {
    struct delayed *next;
    int64_t due;
    int fd;
    struct sockaddr_in sa;
    size_t n;
    char data[];
};
static struct delayed *delayed_head, **delayed_tail = &delayed_head;

static void tx_flush(void)
{
    for (int i = 0; i < ntx;) {
        int r = sendmmsg(tx_fd, tx_msg + i, (unsigned)(ntx - i), 0);
        if (r > 0)
            i += r;
        else if (errno != EINTR)
            i++; /* e.g. ECONNREFUSED queued by an earlier ICMP: skip this one */
    }
    ntx = 0;
}

static void tx_commit_now(size_t n)
{
    tx_iov[ntx] = (struct iovec){ tx_buf[ntx], n };
    tx_msg[ntx].msg_hdr = (struct msghdr){ .msg_name = &tx_sa[ntx],
                                           .msg_namelen = sizeof tx_sa[ntx],
                                           .msg_iov = &tx_iov[ntx],
                                           .msg_iovlen = 1 };
    cnt.tx++;
    if (++ntx == TXQ)
        tx_flush();
}

/* Begin a datagram to be sent from fd to sa; finish it with tx_end. */
static struct out tx_begin(int fd, const struct sockaddr_in *sa)
{
    if (ntx && tx_fd != fd)
        tx_flush();
    tx_fd = fd;
    tx_sa[ntx] = *sa;
    return (struct out){ tx_buf[ntx], 0, MSG_MAX };
}

static void tx_end(struct out *o)
{
    if (cfg.drop_reply > 0 && rnd() < cfg.drop_reply) {
        cnt.dropped_out++;
        return;
    }
    if (!cfg.delay_ms) {
        tx_commit_now(o->n);
        return;
    }
    struct delayed *d = xrealloc(NULL, sizeof *d + o->n);
    *d = (struct delayed){ .due = now_ms + cfg.delay_ms, .fd = tx_fd, .sa = tx_sa[ntx], .n = o->n };
    memcpy(d->data, o->p, o->n);
    *delayed_tail = d;
    delayed_tail = &d->next;
}

static void delayed_run(void)
{
    while (delayed_head && delayed_head->due <= now_ms) {
        struct delayed *d = delayed_head;
        struct out o = tx_begin(d->fd, &d->sa);
        put(&o, (struct str){ d->data, d->n });
        tx_commit_now(o.n);
        if (!(delayed_head = d->next))
            delayed_tail = &delayed_head;
        free(d);
    }
}

/* ----------------------------------------------------------------- responses */

struct rx {
    struct addr *at;
    const struct sockaddr_in *src;
    struct msg m;
};

static struct str reason(int code)
{
    switch (code) {
    case 100: return S("Trying");
    case 180: return S("Ringing");
    case 200: return S("OK");
    case 400: return S("Bad Request");
    case 401: return S("Unauthorized");
    case 403: return S("Forbidden");
    case 404: return S("Not Found");
    case 405: return S("Method Not Allowed");
    case 407: return S("Proxy Authentication Required");
    case 408: return S("Request Timeout");
    case 423: return S("Interval Too Brief");
    case 480: return S("Temporarily Unavailable");
    case 481: return S("Call/Transaction Does Not Exist");
    case 486: return S("Busy Here");
    case 487: return S("Request Terminated");
    case 500: return S("Server Internal Error");
    case 503: return S("Service Unavailable");
    case 603: return S("Decline");
    }
    return S("Answer");
}

static void put_ip_port(struct out *o, const struct sockaddr_in *sa, struct str sep)
{
    uint32_t ip = ntohl(sa->sin_addr.s_addr);
    for (int i = 3; i >= 0; i--) {
        put_u64(o, ip >> (8 * i) & 255);
        if (i)
            put(o, S("."));
    }
    put(o, sep);
    put_u64(o, ntohs(sa->sin_port));
}

/* The top Via with an empty rport filled in (RFC 3581), the rest as they came. */
static void put_vias(struct out *o, const struct rx *r)
{
    for (int i = 0; i < r->m.nvia; i++) {
        struct str v = r->m.via[i];
        put(o, S("Via: "));
        if (i == 0) {
            const char *rp = memmem(v.p, v.n, ";rport", 6);
            const char *comma = memchr(v.p, ',', v.n);
            const char *after = rp ? rp + 6 : NULL;
            bool empty = rp && (!comma || rp < comma) &&
                         (after == v.p + v.n || *after == ';' || *after == ',' || *after == ' ');
            if (empty) {
                put(o, (struct str){ v.p, (size_t)(rp - v.p) });
                put(o, S(";received="));
                put_ip_port(o, r->src, S(";rport="));
                v = (struct str){ after, (size_t)(v.p + v.n - after) };
            }
        }
        put(o, v);
        put(o, S("\r\n"));
    }
}

static void put_local_tag(struct out *o, const struct rx *r)
{
    put_hex(o, hash_bytes(secret ^ ntohs(r->at->sa.sin_port), r->m.callid), 16);
}

/* The start of a response, up to and including CSeq. */
static struct out resp_begin(const struct rx *r, int code)
{
    struct out o = tx_begin(r->at->fd, r->src);
    struct str params, v;
    put(&o, S("SIP/2.0 "));
    put_u64(&o, (uint64_t)code);
    put(&o, S(" "));
    put(&o, reason(code));
    put(&o, S("\r\n"));
    put_vias(&o, r);
    put(&o, S("From: "));
    put(&o, r->m.from);
    put(&o, S("\r\nTo: "));
    put(&o, r->m.to);
    get_uri(r->m.to, &params);
    if (code != 100 && !get_param(params, S("tag"), &v)) {
        put(&o, S(";tag="));
        put_local_tag(&o, r);
    }
    put(&o, S("\r\nCall-ID: "));
    put(&o, r->m.callid);
    put(&o, S("\r\nCSeq: "));
    put(&o, r->m.cseq);
    put(&o, S("\r\n"));
    return o;
}

static void resp_end(struct out *o)
{
    put(o, S("Server: regsim\r\nContent-Length: 0\r\n\r\n"));
    tx_end(o);
}

static void respond(const struct rx *r, int code)
{
    struct out o = resp_begin(r, code);
    if (code == 503 && cfg.retry_after) {
        put(&o, S("Retry-After: "));
        put_u64(&o, cfg.retry_after);
        put(&o, S("\r\n"));
    }
    resp_end(&o);
}

/* -------------------------------------------------------------------- digest */

static uint32_t nonce_counter;

static uint64_t nonce_mac(uint32_t t, uint32_t ctr)
{
    return mix64(mix64(secret ^ t) + ctr);
}

static void put_challenge(struct out *o, int code, bool stale)
{
    uint32_t t = (uint32_t)(now_ms / 1000), ctr = ++nonce_counter;
    put(o, code == 407 ? S("Proxy-Authenticate: Digest realm=\"")
                       : S("WWW-Authenticate: Digest realm=\""));
    put(o, (struct str){ cfg.realm, strlen(cfg.realm) });
    put(o, S("\", nonce=\""));
    put_hex(o, t, 8);
    put_hex(o, ctr, 8);
    put_hex(o, nonce_mac(t, ctr), 16);
    put(o, S("\", algorithm=MD5"));
    if (cfg.qop)
        put(o, S(", qop=\"auth\""));
    if (stale)
        put(o, S(", stale=true"));
    put(o, S("\r\n"));
}

static void challenge(const struct rx *r, int code, bool stale)
{
    struct out o = resp_begin(r, code);
    put_challenge(&o, code, stale);
    resp_end(&o);
}

static bool hex_u64(struct str s, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int c = s.p[i] | 0x20;
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0)
            return false;
        *v = *v << 4 | (uint64_t)d;
    }
    return true;
}

/* Expand %u (user), %d (domain) and %% in a template. */
static struct str expand(const char *tmpl, struct str user, struct str host, char *buf, size_t cap)
{
    struct out o = { buf, 0, cap };
    for (const char *p = tmpl; *p; p++) {
        if (*p == '%' && p[1] == 'u')
            put(&o, user), p++;
        else if (*p == '%' && p[1] == 'd')
            put(&o, host), p++;
        else if (*p == '%' && p[1] == '%')
            put(&o, S("%")), p++;
        else
            put(&o, (struct str){ p, 1 });
    }
    return (struct str){ buf, o.n };
}

enum verdict { CRED_OK, CRED_NONE, CRED_STALE, CRED_BAD };

/* Check the credentials of a request of the given user; a may be NULL. */
static enum verdict check_digest(const struct rx *r, struct str hdr, struct str aor, struct str user,
                                 struct aor *a)
{
    if (!hdr.n)
        return CRED_NONE;
    if (hdr.n < 7 || strncasecmp(hdr.p, "Digest ", 7) != 0)
        return CRED_BAD;
    struct str f_user = { 0 }, f_realm = { 0 }, f_nonce = { 0 }, f_uri = { 0 }, f_resp = { 0 },
               f_qop = { 0 }, f_nc = { 0 }, f_cnonce = { 0 };
    const char *p = hdr.p + 7, *end = hdr.p + hdr.n;
    while (p < end) {
        while (p < end && (*p == ' ' || *p == ',' || *p == '\t' || *p == '\r' || *p == '\n'))
            p++;
        const char *eq = p < end ? memchr(p, '=', (size_t)(end - p)) : NULL;
        if (!eq)
            break;
        struct str k = str_trim((struct str){ p, (size_t)(eq - p) }), v;
        p = eq + 1;
        while (p < end && *p == ' ')
            p++;
        if (p < end && *p == '"') {
            const char *q = ++p;
            while (q < end && *q != '"')
                q += *q == '\\' && q + 1 < end ? 2 : 1;
            v = (struct str){ p, (size_t)(q - p) };
            p = q + 1;
        } else {
            const char *q = p;
            while (q < end && *q != ',')
                q++;
            v = str_trim((struct str){ p, (size_t)(q - p) });
            p = q;
        }
        if (str_ieq(k, S("username")))
            f_user = v;
        else if (str_ieq(k, S("realm")))
            f_realm = v;
        else if (str_ieq(k, S("nonce")))
            f_nonce = v;
        else if (str_ieq(k, S("uri")))
            f_uri = v;
        else if (str_ieq(k, S("response")))
            f_resp = v;
        else if (str_ieq(k, S("qop")))
            f_qop = v;
        else if (str_ieq(k, S("nc")))
            f_nc = v;
        else if (str_ieq(k, S("cnonce")))
            f_cnonce = v;
    }

    /* the nonce must be one of ours, and young enough */
    uint64_t tc, mac;
    if (f_nonce.n != 32 || !hex_u64((struct str){ f_nonce.p, 16 }, &tc) ||
        !hex_u64((struct str){ f_nonce.p + 16, 16 }, &mac) ||
        mac != nonce_mac((uint32_t)(tc >> 32), (uint32_t)tc)) {
        cnt.unknown_nonce++;
        return CRED_STALE;
    }
    uint32_t ctr = (uint32_t)tc;

    char b1[256], b2[256], ha1[32], ha2[32], want[32];
    struct str host = { user.p + user.n + 1, user.n < aor.n ? aor.n - user.n - 1 : 0 };
    struct str want_user = expand(cfg.auth_user, user, host, b1, sizeof b1);
    struct str pass = expand(cfg.password, user, host, b2, sizeof b2);
    if (!str_eq(f_user, want_user)) {
        cnt.wrong_user++;
        return CRED_BAD;
    }
    if (!str_eq(f_realm, (struct str){ cfg.realm, strlen(cfg.realm) })) {
        cnt.wrong_realm++;
        return CRED_BAD;
    }
    struct md5 h;
    md5_init(&h);
    md5_add(&h, f_user);
    md5_add(&h, S(":"));
    md5_add(&h, (struct str){ cfg.realm, strlen(cfg.realm) });
    md5_add(&h, S(":"));
    md5_add(&h, pass);
    md5_hex(&h, ha1);
    md5_init(&h);
    md5_add(&h, r->m.method);
    md5_add(&h, S(":"));
    md5_add(&h, f_uri);
    md5_hex(&h, ha2);
    md5_init(&h);
    md5_add(&h, (struct str){ ha1, 32 });
    md5_add(&h, S(":"));
    md5_add(&h, f_nonce);
    md5_add(&h, S(":"));
    if (f_qop.n) {
        md5_add(&h, f_nc);
        md5_add(&h, S(":"));
        md5_add(&h, f_cnonce);
        md5_add(&h, S(":"));
        md5_add(&h, f_qop);
        md5_add(&h, S(":"));
    }
    md5_add(&h, (struct str){ ha2, 32 });
    md5_hex(&h, want);
    if (!str_ieq(f_resp, (struct str){ want, 32 })) {
        cnt.wrong_digest++;
        return CRED_BAD;
    }
    if (!str_eq(f_uri, r->m.ruri))
        cnt.digest_uri_mismatch++;

    if (cfg.nonce_ttl && (uint32_t)(now_ms / 1000) - (uint32_t)(tc >> 32) > cfg.nonce_ttl) {
        cnt.old_nonce++;
        return CRED_STALE;
    }
    if (a) {
        uint64_t nc = 0;
        if (f_nc.n)
            hex_u64(f_nc, &nc);
        if (a->nonce == ctr && f_nc.n && nc <= a->nc) {
            cnt.nc_replays++;
            if (cfg.strict_nc)
                return CRED_STALE;
        }
        if (a->nonce == ctr && cfg.nonce_once)
            return CRED_STALE;
        a->nonce = ctr;
        a->nc = (uint32_t)nc;
    }
    if (cfg.stale > 0 && rnd() < cfg.stale)
        return CRED_STALE;
    return CRED_OK;
}

/* ------------------------------------------------------------------ REGISTER */

static void send_register_ok(const struct rx *r, struct str uri, unsigned expires)
{
    struct out o = resp_begin(r, 200);
    if (expires) {
        put(&o, S("Contact: <"));
        put(&o, uri);
        put(&o, S(">;expires="));
        put_u64(&o, expires);
        put(&o, S("\r\n"));
    }
    resp_end(&o);
}

static void bind_aor(struct aor *a, const struct rx *r, struct str uri, unsigned expires)
{
    cnt.register_ok++;
    r->at->reg_ok++;
    if (!expires) {
        cnt.unregisters++;
        a->expires_at = 0;
        return;
    }
    if (a->expires_at) {
        int64_t margin = a->expires_at - now_ms;
        cnt.refreshes++;
        if (margin < 0) {
            cnt.lapses++;
            if (-margin > max_lapse_ms)
                max_lapse_ms = -margin;
        }
        if (margin < min_margin_ms)
            min_margin_ms = margin;
        margin_sum_ms += margin;
    }
    a->expires_at = now_ms + (int64_t)expires * 1000;
    a->addr = (uint16_t)(r->at - addrs);
    a->oks++;
    if (!a->contact || strlen(a->contact) != uri.n || memcmp(a->contact, uri.p, uri.n) != 0) {
        free(a->contact);
        a->contact = strndup(uri.p, uri.n);
    }
    if (!a->ever) {
        a->ever = true;
        nregistered_ever++;
    }
    if (!a->mark_at) {
        a->mark_at = now_ms;
        mark_aors++;
        mark_last_ms = now_ms;
        if (mark_aors == cfg.expect) {
            mark_expect_ms = now_ms;
            if (cfg.exit_on_expect)
                stop_flag = 1;
        }
    }
}

static void on_register(const struct rx *r)
{
    struct str user, params = { 0 }, v;
    struct str aor = uri_aor(get_uri(r->m.to, NULL), &user);
    if (!aor.n) {
        cnt.malformed++;
        respond(r, 400);
        return;
    }
    cnt.registers++;
    if (!first_register_ms)
        first_register_ms = now_ms;
    if (!mark_first_ms)
        mark_first_ms = now_ms;

    struct aor *a = aor_get(aor, true);
    int with = r->m.auth.n || !cfg.auth;

    struct str contact = get_uri(r->m.contact, &params);
    unsigned asked = 3600;
    if (get_param(params, S("expires"), &v))
        asked = (unsigned)str_u64(v);
    else if (r->m.expires.n)
        asked = (unsigned)str_u64(r->m.expires);
    unsigned granted = cfg.expires && asked > cfg.expires ? cfg.expires : asked;
    if (r->m.contact.n && r->m.contact.p[0] == '*')
        granted = 0;

    /* a retransmission gets the same kind of answer, and changes nothing */
    uint64_t callid = hash_bytes(2, r->m.callid);
    uint64_t txn = hash_bytes(hash_bytes(callid, r->m.cseq), r->m.via[0]);
    if (a->txn[with] == txn) {
        cnt.retransmissions++;
        if (a->code[with] == 200)
            send_register_ok(r, contact, granted);
        else if (a->code[with] == 401)
            challenge(r, 401, a->stale[with]);
        else
            respond(r, a->code[with]);
        return;
    }
    a->txn[with] = txn;

    uint32_t cseq = (uint32_t)str_u64(r->m.cseq);
    if (a->callid && a->callid != callid)
        cnt.callid_changes++;
    else if (a->callid && cseq <= a->cseq)
        cnt.cseq_not_increasing++;
    a->callid = callid;
    a->cseq = cseq;

    int code = 200;
    bool stale = false;
    if (r->at->mode == MODE_CODE)
        code = r->at->code;
    double x = cfg.nfail ? rnd() : 1;
    for (int i = 0; code == 200 && i < cfg.nfail; x -= cfg.fail[i++].p)
        if (x >= 0 && x < cfg.fail[i].p)
            code = cfg.fail[i].code;
    if (code == 200 && cfg.auth) {
        switch (check_digest(r, r->m.auth, aor, user, a)) {
        case CRED_OK:
            break;
        case CRED_NONE:
            code = 401;
            break;
        case CRED_STALE:
            code = 401;
            stale = true;
            break;
        case CRED_BAD:
            code = cfg.bad_code;
            break;
        }
    }
    if (code == 200 && granted && granted < cfg.min_expires)
        code = 423;
    a->code[with] = (uint16_t)code;
    a->stale[with] = stale;

    if (code == 200) {
        bind_aor(a, r, contact, granted);
        send_register_ok(r, contact, granted);
    } else if (code == 401) {
        cnt.challenges++;
        cnt.stale_challenges += stale;
        challenge(r, 401, stale);
    } else if (code == 423) {
        cnt.too_brief++;
        struct out o = resp_begin(r, 423);
        put(&o, S("Min-Expires: "));
        put_u64(&o, cfg.min_expires);
        put(&o, S("\r\n"));
        resp_end(&o);
    } else {
        cnt.rejected++;
        respond(r, code);
    }
}

/* --------------------------------------------------------------------- calls */

enum call_state { CALL_RINGING, CALL_ANSWERED, CALL_UP, CALL_BYE };

struct call {
    struct call *next;
    uint64_t hash;
    enum call_state state;
    int64_t due, give_up;
    unsigned interval;
    size_t heap; /* position + 1 in the timer heap; 0: no timer */
    int fd;
    struct sockaddr_in peer;
    size_t ok_n, bye_n;
    char *ok, *bye;
};

static struct call *calls[CALL_BUCKETS];
static struct call **heap;
static size_t nheap, heap_cap, ncalls, max_calls;

static void heap_set(size_t i, struct call *c)
{
    heap[i] = c;
    c->heap = i + 1;
}

static void heap_fix(size_t i)
{
    struct call *c = heap[i];
    while (i && heap[(i - 1) / 2]->due > c->due) {
        heap_set(i, heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= nheap)
            break;
        if (k + 1 < nheap && heap[k + 1]->due < heap[k]->due)
            k++;
        if (heap[k]->due >= c->due)
            break;
        heap_set(i, heap[k]);
        i = k;
    }
    heap_set(i, c);
}

static void timer_del(struct call *c)
{
    if (!c->heap)
        return;
    size_t i = c->heap - 1;
    c->heap = 0;
    struct call *last = heap[--nheap];
    if (last != c) {
        heap_set(i, last);
        heap_fix(i);
    }
}

static void timer_set(struct call *c, int64_t due)
{
    timer_del(c);
    c->due = due;
    if (nheap == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 256;
        heap = xrealloc(heap, heap_cap * sizeof(struct call *));
    }
    heap_set(nheap, c);
    heap_fix(nheap++);
}

static struct call **call_find(uint64_t hash)
{
    struct call **pc = &calls[hash & (CALL_BUCKETS - 1)];
    while (*pc && (*pc)->hash != hash)
        pc = &(*pc)->next;
    return pc;
}

static void call_free(struct call **pc)
{
    struct call *c = *pc;
    timer_del(c);
    *pc = c->next;
    free(c->ok);
    free(c->bye);
    free(c);
    ncalls--;
}

static void call_send(struct call *c, const char *p, size_t n)
{
    struct out o = tx_begin(c->fd, &c->peer);
    put(&o, (struct str){ p, n });
    tx_end(&o);
}

static char *copy_out(const struct out *o, size_t *n)
{
    char *p = xrealloc(NULL, o->n);
    memcpy(p, o->p, o->n);
    *n = o->n;
    return p;
}

/* 200 OK to INVITE with a fixed SDP answer. */
static void call_build_ok(struct call *c, const struct rx *r)
{
    static char buf[MSG_MAX];
    struct out o = resp_begin(r, 200), sdp = { buf, 0, sizeof buf };
    put(&sdp, S("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                "m=audio 40000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n"));
    for (int i = 0; i < r->m.nrr; i++) {
        put(&o, S("Record-Route: "));
        put(&o, r->m.rr[i]);
        put(&o, S("\r\n"));
    }
    put(&o, S("Contact: <sip:regsim@"));
    put_ip_port(&o, &r->at->sa, S(":"));
    put(&o, S(">\r\nContent-Type: application/sdp\r\nContent-Length: "));
    put_u64(&o, sdp.n);
    put(&o, S("\r\n\r\n"));
    put(&o, (struct str){ sdp.p, sdp.n });
    c->ok = copy_out(&o, &c->ok_n);
}

/* The BYE this side will send. */
static void call_build_bye(struct call *c, const struct rx *r)
{
    static char buf[MSG_MAX];
    struct out o = { buf, 0, sizeof buf };
    struct str target = get_uri(r->m.contact, NULL);
    put(&o, S("BYE "));
    put(&o, target.n ? target : get_uri(r->m.from, NULL));
    put(&o, S(" SIP/2.0\r\nVia: SIP/2.0/UDP "));
    put_ip_port(&o, &r->at->sa, S(":"));
    put(&o, S(";branch=z9hG4bK"));
    put_hex(&o, c->hash, 16);
    for (int i = 0; i < r->m.nrr; i++) {
        put(&o, S("\r\nRoute: "));
        put(&o, r->m.rr[i]);
    }
    put(&o, S("\r\nMax-Forwards: 70\r\nFrom: "));
    put(&o, r->m.to);
    put(&o, S(";tag="));
    put_local_tag(&o, r);
    put(&o, S("\r\nTo: "));
    put(&o, r->m.from);
    put(&o, S("\r\nCall-ID: "));
    put(&o, r->m.callid);
    put(&o, S("\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"));
    c->bye = copy_out(&o, &c->bye_n);
}

static void call_answer(struct call *c)
{
    cnt.calls_answered += c->state == CALL_RINGING;
    c->state = CALL_ANSWERED;
    c->give_up = now_ms + CALL_GIVE_UP_MS;
    c->interval = T1_MS;
    call_send(c, c->ok, c->ok_n);
    timer_set(c, now_ms + c->interval);
}

static void calls_run(void)
{
    while (nheap && heap[0]->due <= now_ms) {
        struct call *c = heap[0];
        if (c->state == CALL_RINGING) {
            call_answer(c);
            continue;
        }
        if (c->state == CALL_UP) { /* time to hang up */
            c->state = CALL_BYE;
            c->give_up = now_ms + CALL_GIVE_UP_MS;
            c->interval = T1_MS;
            cnt.byes_sent++;
            call_send(c, c->bye, c->bye_n);
        } else if (now_ms >= c->give_up) {
            if (c->state == CALL_ANSWERED)
                cnt.calls_no_ack++;
            call_free(call_find(c->hash));
            continue;
        } else {
            cnt.retransmitted_200 += c->state == CALL_ANSWERED;
            call_send(c, c->state == CALL_ANSWERED ? c->ok : c->bye,
                      c->state == CALL_ANSWERED ? c->ok_n : c->bye_n);
            c->interval = c->interval * 2 > T2_MS ? T2_MS : c->interval * 2;
        }
        timer_set(c, now_ms + c->interval);
    }
}

/* A call is known by its Call-ID and the peer's tag. */
static uint64_t call_hash(const struct rx *r, struct str peer)
{
    struct str params, tag = { 0 };
    get_uri(peer, &params);
    get_param(params, S("tag"), &tag);
    return hash_bytes(hash_bytes(3, r->m.callid), tag);
}

static void on_invite(const struct rx *r)
{
    cnt.invites++;
    uint64_t h = call_hash(r, r->m.from);
    struct call *c = *call_find(h);
    struct str params, tag;
    get_uri(r->m.to, &params);
    if (get_param(params, S("tag"), &tag)) { /* re-INVITE: the same answer again */
        if (!c) {
            cnt.calls_unknown++;
            respond(r, 481);
        } else if (c->state == CALL_UP || c->state == CALL_ANSWERED) {
            cnt.reinvites++;
            free(c->ok);
            call_build_ok(c, r);
            call_answer(c);
        }
        return;
    }
    if (c) {
        cnt.retransmissions++;
        if (c->state != CALL_RINGING)
            call_send(c, c->ok, c->ok_n);
        return;
    }
    if (r->at->mode == MODE_CODE) {
        cnt.rejected++;
        respond(r, r->at->code);
        return;
    }
    if (cfg.auth && cfg.invite_challenge) {
        struct str user;
        struct str aor = uri_aor(get_uri(r->m.from, NULL), &user);
        enum verdict v = check_digest(r, cfg.invite_challenge == 407 ? r->m.pauth : r->m.auth, aor,
                                      user, NULL);
        if (v != CRED_OK) {
            cnt.invite_challenges++;
            challenge(r, cfg.invite_challenge, v == CRED_STALE);
            return;
        }
    }
    respond(r, 100);
    if (cfg.invite_code != 200) {
        cnt.rejected++;
        respond(r, cfg.invite_code);
        return;
    }
    respond(r, 180);
    c = xrealloc(NULL, sizeof *c);
    struct call **pc = call_find(h);
    *c = (struct call){ .hash = h, .fd = r->at->fd, .peer = *r->src, .next = *pc };
    *pc = c;
    if (++ncalls > max_calls)
        max_calls = ncalls;
    call_build_ok(c, r);
    if (cfg.bye_ms)
        call_build_bye(c, r);
    if (cfg.answer_ms)
        timer_set(c, now_ms + cfg.answer_ms);
    else
        call_answer(c);
}

static void on_ack(const struct rx *r)
{
    struct call *c = *call_find(call_hash(r, r->m.from));
    if (!c || c->state != CALL_ANSWERED)
        return; /* ACK to a challenge, a rejection, or a second one */
    c->state = CALL_UP;
    cnt.calls_acked++;
    if (cfg.bye_ms)
        timer_set(c, now_ms + cfg.bye_ms);
    else
        timer_del(c);
}

static void on_bye(const struct rx *r)
{
    struct call **pc = call_find(call_hash(r, r->m.from));
    if (!*pc) {
        cnt.calls_unknown++;
        respond(r, 481);
        return;
    }
    cnt.calls_ended++;
    call_free(pc);
    respond(r, 200);
}

static void on_cancel(const struct rx *r)
{
    struct call **pc = call_find(call_hash(r, r->m.from));
    respond(r, *pc ? 200 : 481);
    if (*pc && (*pc)->state == CALL_RINGING)
        call_free(pc); /* the 487 is left out: the INVITE itself is not kept */
}

static void on_response(const struct rx *r)
{
    cnt.responses++;
    struct call **pc = call_find(call_hash(r, r->m.to));
    if (*pc && (*pc)->state == CALL_BYE && r->m.status >= 200) {
        cnt.calls_ended++;
        call_free(pc);
    }
}

/* ----------------------------------------------------------------- main loop */

static void on_datagram(struct addr *at, const struct sockaddr_in *src, struct str raw)
{
    static struct rx r;
    cnt.rx++;
    at->rx++;
    if (at->mode == MODE_SILENT) {
        cnt.silent++;
        return;
    }
    if (cfg.drop > 0 && rnd() < cfg.drop) {
        cnt.dropped_in++;
        return;
    }
    r.at = at;
    r.src = src;
    if (!parse_msg(raw, &r.m)) {
        cnt.malformed += raw.n > 4; /* keep-alives are not malformed */
        return;
    }
    if (r.m.is_response)
        on_response(&r);
    else if (str_eq(r.m.method, S("REGISTER")))
        on_register(&r);
    else if (str_eq(r.m.method, S("INVITE")))
        on_invite(&r);
    else if (str_eq(r.m.method, S("ACK")))
        on_ack(&r);
    else if (str_eq(r.m.method, S("BYE")))
        on_bye(&r);
    else if (str_eq(r.m.method, S("CANCEL")))
        on_cancel(&r);
    else if (str_eq(r.m.method, S("OPTIONS"))) {
        cnt.options++;
        if (at->mode == MODE_CODE)
            respond(&r, at->code);
        else
            respond(&r, 200);
    } else {
        cnt.other++;
        respond(&r, 405);
    }
}

static char rx_buf[BATCH][MSG_MAX];

static void on_readable(struct addr *at)
{
    static struct sockaddr_in sa[BATCH];
    static struct iovec iov[BATCH];
    static struct mmsghdr mm[BATCH];

    for (int rounds = 0; rounds < 16; rounds++) {
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){ rx_buf[i], MSG_MAX };
            mm[i].msg_hdr = (struct msghdr){ .msg_name = &sa[i],
                                             .msg_namelen = sizeof sa[i],
                                             .msg_iov = &iov[i],
                                             .msg_iovlen = 1 };
        }
        int n = recvmmsg(at->fd, mm, BATCH, MSG_DONTWAIT, NULL);
        if (n <= 0)
            return;
        tick();
        for (int i = 0; i < n; i++)
            on_datagram(at, &sa[i], (struct str){ rx_buf[i], mm[i].msg_len });
        tx_flush();
        if (n < BATCH)
            return;
    }
}

static int cmp_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(FILE *f)
{
    struct rusage ru;
    uint64_t bound = 0, expired = 0, drops = 0, per_addr[MAX_ADDRS] = { 0 };
    int64_t *at = xrealloc(NULL, (naors + 1) * sizeof *at);
    size_t n = 0;

    tick();
    getrusage(RUSAGE_SELF, &ru);
    for (size_t i = 0; i < naors; i++) {
        const struct aor *a = &aors[i];
        if (a->expires_at > now_ms) {
            bound++;
            per_addr[a->addr]++;
        } else if (a->expires_at) {
            expired++;
        }
        if (a->mark_at)
            at[n++] = a->mark_at - (mark_first_ms ? mark_first_ms : a->mark_at);
    }
    qsort(at, n, sizeof *at, cmp_i64);
    fprintf(f, "{\"uptime_ms\":%" PRId64 ",\"aors_seen\":%zu,\"aors_registered\":%" PRIu64, now_ms - start_ms,
            naors, nregistered_ever);
    fprintf(f, ",\"bound_now\":%" PRIu64 ",\"expired_now\":%" PRIu64, bound, expired);
#define X(name) fprintf(f, ",\"" #name "\":%" PRIu64, cnt.name);
    COUNTERS(X)
#undef X
    fprintf(f, ",\"max_register_ok_per_s\":%" PRIu64 ",\"max_rx_per_s\":%" PRIu64, max_ok_per_s, max_rx_per_s);
    fprintf(f, ",\"max_lapse_ms\":%" PRId64, max_lapse_ms);
    if (cnt.refreshes)
        fprintf(f, ",\"refresh_margin_ms\":{\"min\":%" PRId64 ",\"mean\":%" PRId64 "}", min_margin_ms,
                margin_sum_ms / (int64_t)cnt.refreshes);
    /* times of the first success of each AOR since the start or the last
     * "mark", counted from the mark's first REGISTER */
    fprintf(f, ",\"since_mark\":{\"aors\":%" PRIu64, mark_aors);
    if (n) {
        fprintf(f, ",\"mark_to_first_register_ms\":%" PRId64, mark_first_ms - mark_ms);
        fprintf(f, ",\"first_register_to_all_ms\":%" PRId64 ",\"p50_ms\":%" PRId64 ",\"p90_ms\":%" PRId64
                ",\"p99_ms\":%" PRId64, at[n - 1], at[n / 2], at[n * 9 / 10], at[n * 99 / 100]);
        fprintf(f, ",\"mark_to_last_ms\":%" PRId64, mark_last_ms - mark_ms);
        if (mark_expect_ms)
            fprintf(f, ",\"mark_to_expected_ms\":%" PRId64, mark_expect_ms - mark_ms);
    }
    fprintf(f, "},\"calls_open\":%zu,\"max_calls_open\":%zu,\"addrs\":[", ncalls, max_calls);
    for (int i = 0; i < naddrs; i++) {
        uint32_t mi[16] = { 0 };
        socklen_t len = sizeof mi;
        getsockopt(addrs[i].fd, SOL_SOCKET, SO_MEMINFO, mi, &len);
        drops += mi[8];
        if (i >= TOLD_ADDRS)
            continue;
        fprintf(f, "%s{\"addr\":\"%s\",\"rx\":%" PRIu64 ",\"register_ok\":%" PRIu64 ",\"bound_now\":%" PRIu64
                ",\"socket_drops\":%u}", i ? "," : "", addrs[i].text, addrs[i].rx, addrs[i].reg_ok,
                per_addr[i], mi[8]);
    }
    fprintf(f, "],\"socket_drops\":%" PRIu64 ",\"cpu_s\":%.3f}\n", drops,
            (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
                (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
    fflush(f);
    free(at);
}

static void per_second(void)
{
    static uint64_t sec;
    uint64_t ok = cnt.register_ok - cnt_prev.register_ok, rx = cnt.rx - cnt_prev.rx;
    sec++;
    if (ok > max_ok_per_s)
        max_ok_per_s = ok;
    if (rx > max_rx_per_s)
        max_rx_per_s = rx;
    if (!cfg.quiet && rx)
        fprintf(stderr, "%6" PRIu64 "s rx=%" PRIu64 " ok=%" PRIu64 " chal=%" PRIu64 " bad=%" PRIu64
                " retrans=%" PRIu64 " rej=%" PRIu64 " lapses=%" PRIu64 " calls=%" PRIu64 " aors=%" PRIu64 "\n",
                sec, rx, ok, cnt.challenges - cnt_prev.challenges,
                cnt.wrong_digest + cnt.wrong_user - cnt_prev.wrong_digest - cnt_prev.wrong_user,
                cnt.retransmissions - cnt_prev.retransmissions, cnt.rejected - cnt_prev.rejected,
                cnt.lapses - cnt_prev.lapses, cnt.calls_answered - cnt_prev.calls_answered,
                nregistered_ever);
    cnt_prev = cnt;
}

/* ------------------------------------------------------------------- control */

static void set_mode(const char *which, enum addr_mode mode, int code, FILE *out)
{
    bool all = strcmp(which, "all") == 0;
    char *end;
    long i = strtol(which, &end, 10);
    if (!all && (end == which || *end || i < 0 || i >= naddrs)) {
        fprintf(out, "error: no such address: %s\n", which);
        return;
    }
    for (int k = all ? 0 : (int)i; k < (all ? naddrs : (int)i + 1); k++) {
        addrs[k].mode = mode;
        addrs[k].code = code;
    }
    fputs("ok\n", out);
}

static void control(char *cmd, FILE *out)
{
    char a[32] = "", b[256] = "", c[32] = "";
    int n = sscanf(cmd, "%31s %255s %31s", a, b, c);
    if (n >= 1 && strcmp(a, "stats") == 0) {
        report(out);
    } else if (n >= 1 && strcmp(a, "count") == 0) { /* cheap enough to poll */
        fprintf(out, "{\"rx\":%" PRIu64 ",\"registers\":%" PRIu64 ",\"register_ok\":%" PRIu64 ",\"aors\":%" PRIu64
                ",\"since_mark\":%" PRIu64 ",\"lapses\":%" PRIu64 ",\"retransmissions\":%" PRIu64 "}\n",
                cnt.rx, cnt.registers, cnt.register_ok, nregistered_ever, mark_aors, cnt.lapses,
                cnt.retransmissions);
    } else if (n >= 1 && strcmp(a, "mark") == 0) {
        for (size_t i = 0; i < naors; i++)
            aors[i].mark_at = 0;
        tick();
        mark_ms = now_ms;
        mark_aors = 0;
        mark_first_ms = mark_last_ms = mark_expect_ms = 0;
        fputs("ok\n", out);
    } else if (n >= 2 && strcmp(a, "silent") == 0) {
        set_mode(b, MODE_SILENT, 0, out);
    } else if (n >= 2 && strcmp(a, "normal") == 0) {
        set_mode(b, MODE_OK, 0, out);
    } else if (n >= 3 && strcmp(a, "code") == 0) {
        set_mode(b, MODE_CODE, atoi(c), out);
    } else if (n >= 2 && strcmp(a, "drop") == 0) {
        cfg.drop = atof(b);
        fputs("ok\n", out);
    } else if (n >= 2 && strcmp(a, "stale") == 0) {
        cfg.stale = atof(b);
        fputs("ok\n", out);
    } else if (n >= 2 && strcmp(a, "expires") == 0) {
        cfg.expires = (unsigned)atoi(b);
        fputs("ok\n", out);
    } else if (n >= 2 && strcmp(a, "expect") == 0) {
        cfg.expect = strtoull(b, NULL, 10);
        fputs("ok\n", out);
    } else if (n >= 1 && strcmp(a, "forget") == 0) { /* all bindings are lost */
        for (size_t i = 0; i < naors; i++)
            aors[i].expires_at = 0;
        fputs("ok\n", out);
    } else if (n >= 1 && strcmp(a, "new-secret") == 0) { /* every nonce given out turns stale */
        secret = mix64(secret + now_us);
        fputs("ok\n", out);
    } else if (n >= 2 && strcmp(a, "aor") == 0) {
        const struct aor *r = aor_get((struct str){ b, strlen(b) }, false);
        if (r)
            fprintf(out, "{\"aor\":\"%s\",\"contact\":\"%s\",\"addr\":%u,\"left_ms\":%" PRId64
                    ",\"registers_ok\":%u,\"last_code\":%u,\"cseq\":%u}\n", r->key,
                    r->contact ? r->contact : "", r->addr, r->expires_at ? r->expires_at - now_ms : 0,
                    r->oks, r->code[1], r->cseq);
        else
            fputs("error: not seen\n", out);
    } else if (n >= 1 && strcmp(a, "quit") == 0) {
        stop_flag = 1;
        fputs("ok\n", out);
    } else {
        fputs("error: commands are stats, count, mark, silent I|all, normal I|all, code I|all N, drop P, stale P, "
              "expires S, expect N, forget, new-secret, aor USER@HOST, quit\n", out);
    }
}

static void on_control(int fd)
{
    char buf[512];
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    ssize_t n = recvfrom(fd, buf, sizeof buf - 1, MSG_DONTWAIT, (struct sockaddr *)&sa, &len);
    if (n <= 0)
        return;
    buf[n] = 0;
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        die("out of memory");
    control(buf, f);
    fclose(f);
    if (sendto(fd, text, size, 0, (struct sockaddr *)&sa, len) < 0)
        perror("regsim: control reply");
    free(text);
}

/* --------------------------------------------------------------------- start */

static struct sockaddr_in parse_addr(const char *s)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    char host[64];
    const char *c = strrchr(s, ':');
    if (!c || (size_t)(c - s) >= sizeof host)
        die("not ADDRESS:PORT: %s", s);
    memcpy(host, s, (size_t)(c - s));
    host[c - s] = 0;
    if (inet_pton(AF_INET, host, &sa.sin_addr) != 1)
        die("not an IPv4 address: %s", host);
    sa.sin_port = htons((uint16_t)atoi(c + 1));
    return sa;
}

static void add_addr(const char *s)
{
    if (naddrs == MAX_ADDRS)
        die("too many addresses");
    struct addr *a = &addrs[naddrs++];
    int size = 64 << 20;
    a->sa = parse_addr(s);
    snprintf(a->text, sizeof a->text, "%s", s);
    a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        die("socket: %s", strerror(errno));
    if (setsockopt(a->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(a->fd, (struct sockaddr *)&a->sa, sizeof a->sa) < 0)
        die("bind %s: %s", s, strerror(errno));
}

static int send_command(const char *to, int argc, char **argv)
{
    struct sockaddr_in sa = parse_addr(to);
    char buf[65536] = "";
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < argc; i++) {
        strncat(buf, argv[i], sizeof buf - strlen(buf) - 2);
        strcat(buf, " ");
    }
    struct timeval tv = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || send(fd, buf, strlen(buf), 0) < 0)
        die("control %s: %s", to, strerror(errno));
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n < 0)
        die("control %s: %s", to, strerror(errno));
    fwrite(buf, 1, (size_t)n, stdout);
    return strncmp(buf, "error", 5) == 0;
}

static void add_fail(char *s)
{
    char *c = strchr(s, ':');
    if (!c || cfg.nfail == MAX_FAILS)
        die("--fail wants CODE:FRACTION");
    cfg.fail[cfg.nfail++] = (struct fail_rule){ atoi(s), atof(c + 1) };
}

static void on_signal(int sig)
{
    (void)sig;
    stop_flag = 1;
}

static void usage(void)
{
    fputs("usage: regsim [options] ADDRESS:PORT...\n"
          "       regsim --ctl ADDRESS:PORT COMMAND...\n"
          "  --control A:P        take commands on this UDP address\n"
          "  --expires S          grant at most S seconds (3600; 0: as asked)\n"
          "  --min-expires S      423 below this\n"
          "  --no-auth            never challenge\n"
          "  --no-qop             challenge without qop\n"
          "  --realm R            realm (regsim)\n"
          "  --password T         password rule; %u user, %d domain (pw-%u)\n"
          "  --auth-user T        digest username rule (%u)\n"
          "  --bad-code N         answer to wrong credentials (401)\n"
          "  --nonce-ttl S        a nonce older than this is stale\n"
          "  --nonce-once         a nonce serves one request only\n"
          "  --strict-nc          a repeated nonce count is stale\n"
          "  --stale P            call this fraction of good credentials stale\n"
          "  --drop P             ignore this fraction of datagrams\n"
          "  --drop-reply P       lose this fraction of replies\n"
          "  --delay MS           hold every reply back\n"
          "  --fail N:P           answer this fraction of REGISTERs with code N (repeatable)\n"
          "  --retry-after S      Retry-After in 503\n"
          "  --invite-auth N      challenge INVITEs with 401, 407 or 0: not (401)\n"
          "  --invite-code N      final answer to INVITEs (200)\n"
          "  --answer-ms MS       ring this long before the 200\n"
          "  --bye-ms MS          hang up this long after the ACK (0: the caller does)\n"
          "  --expect N           note when N AORs are registered\n"
          "  --exit-on-expect     and stop then\n"
          "  --duration S         stop after S seconds\n"
          "  --json FILE          write the final report there instead of stdout\n"
          "  --quiet              no per-second lines\n", stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    enum { O_CONTROL = 256, O_CTL, O_EXPIRES, O_MINEXP, O_NOAUTH, O_NOQOP, O_REALM, O_PASSWORD, O_AUTHUSER,
           O_BADCODE, O_TTL, O_ONCE, O_STRICT, O_STALE, O_DROP, O_DROPREPLY, O_DELAY, O_FAIL, O_RETRY, O_IAUTH,
           O_ICODE, O_ANSWER, O_BYE, O_EXPECT, O_EXITEXP, O_DURATION, O_JSON, O_QUIET };
    static const struct option opts[] = {
        { "control", 1, 0, O_CONTROL }, { "ctl", 1, 0, O_CTL }, { "expires", 1, 0, O_EXPIRES },
        { "min-expires", 1, 0, O_MINEXP }, { "no-auth", 0, 0, O_NOAUTH }, { "no-qop", 0, 0, O_NOQOP },
        { "realm", 1, 0, O_REALM }, { "password", 1, 0, O_PASSWORD }, { "auth-user", 1, 0, O_AUTHUSER },
        { "bad-code", 1, 0, O_BADCODE }, { "nonce-ttl", 1, 0, O_TTL }, { "nonce-once", 0, 0, O_ONCE },
        { "strict-nc", 0, 0, O_STRICT }, { "stale", 1, 0, O_STALE }, { "drop", 1, 0, O_DROP },
        { "drop-reply", 1, 0, O_DROPREPLY }, { "delay", 1, 0, O_DELAY }, { "fail", 1, 0, O_FAIL },
        { "retry-after", 1, 0, O_RETRY }, { "invite-auth", 1, 0, O_IAUTH }, { "invite-code", 1, 0, O_ICODE },
        { "answer-ms", 1, 0, O_ANSWER }, { "bye-ms", 1, 0, O_BYE }, { "expect", 1, 0, O_EXPECT },
        { "exit-on-expect", 0, 0, O_EXITEXP }, { "duration", 1, 0, O_DURATION }, { "json", 1, 0, O_JSON },
        { "quiet", 0, 0, O_QUIET }, { 0 },
    };
    const char *control_at = NULL, *ctl = NULL;
    for (int o; (o = getopt_long(argc, argv, "+", opts, NULL)) != -1;) {
        switch (o) {
        case O_CONTROL: control_at = optarg; break;
        case O_CTL: ctl = optarg; break;
        case O_EXPIRES: cfg.expires = (unsigned)atoi(optarg); break;
        case O_MINEXP: cfg.min_expires = (unsigned)atoi(optarg); break;
        case O_NOAUTH: cfg.auth = false; break;
        case O_NOQOP: cfg.qop = false; break;
        case O_REALM: cfg.realm = optarg; break;
        case O_PASSWORD: cfg.password = optarg; break;
        case O_AUTHUSER: cfg.auth_user = optarg; break;
        case O_BADCODE: cfg.bad_code = atoi(optarg); break;
        case O_TTL: cfg.nonce_ttl = (unsigned)atoi(optarg); break;
        case O_ONCE: cfg.nonce_once = true; break;
        case O_STRICT: cfg.strict_nc = true; break;
        case O_STALE: cfg.stale = atof(optarg); break;
        case O_DROP: cfg.drop = atof(optarg); break;
        case O_DROPREPLY: cfg.drop_reply = atof(optarg); break;
        case O_DELAY: cfg.delay_ms = (unsigned)atoi(optarg); break;
        case O_FAIL: add_fail(optarg); break;
        case O_RETRY: cfg.retry_after = (unsigned)atoi(optarg); break;
        case O_IAUTH: cfg.invite_challenge = atoi(optarg); break;
        case O_ICODE: cfg.invite_code = atoi(optarg); break;
        case O_ANSWER: cfg.answer_ms = (unsigned)atoi(optarg); break;
        case O_BYE: cfg.bye_ms = (unsigned)atoi(optarg); break;
        case O_EXPECT: cfg.expect = strtoull(optarg, NULL, 10); break;
        case O_EXITEXP: cfg.exit_on_expect = true; break;
        case O_DURATION: cfg.duration = (unsigned)atoi(optarg); break;
        case O_JSON: cfg.json = optarg; break;
        case O_QUIET: cfg.quiet = true; break;
        default: usage();
        }
    }
    if (ctl)
        return send_command(ctl, argc - optind, argv + optind);
    if (optind == argc)
        usage();

    tick();
    start_ms = mark_ms = now_ms;
    secret = mix64(now_us ^ (uint64_t)getpid() << 32);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (int i = optind; i < argc; i++)
        add_addr(argv[i]);
    for (int i = 0; i < naddrs; i++) {
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        if (epoll_ctl(ep, EPOLL_CTL_ADD, addrs[i].fd, &ev) < 0)
            die("epoll: %s", strerror(errno));
    }
    int cfd = -1;
    if (control_at) {
        struct sockaddr_in sa = parse_addr(control_at);
        struct epoll_event ev = { .events = EPOLLIN, .data.u32 = MAX_ADDRS };
        cfd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (cfd < 0 || bind(cfd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
            epoll_ctl(ep, EPOLL_CTL_ADD, cfd, &ev) < 0)
            die("control %s: %s", control_at, strerror(errno));
    }
    struct sigaction act = { .sa_handler = on_signal };
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);

    int64_t next_second = now_ms + 1000;
    while (!stop_flag) {
        struct epoll_event evs[64];
        int64_t wait = next_second - now_ms;
        if (nheap && heap[0]->due - now_ms < wait)
            wait = heap[0]->due - now_ms;
        if (delayed_head && delayed_head->due - now_ms < wait)
            wait = delayed_head->due - now_ms;
        int n = epoll_wait(ep, evs, 64, wait > 0 ? (int)wait : 0);
        tick();
        for (int i = 0; i < n; i++) {
            if (evs[i].data.u32 == MAX_ADDRS)
                on_control(cfd);
            else
                on_readable(&addrs[evs[i].data.u32]);
        }
        delayed_run();
        calls_run();
        tx_flush();
        while (now_ms >= next_second) {
            per_second();
            next_second += 1000;
        }
        if (cfg.duration && now_ms - start_ms >= (int64_t)cfg.duration * 1000)
            break;
    }
    tx_flush();
    FILE *f = cfg.json ? fopen(cfg.json, "w") : stdout;
    if (!f)
        die("%s: %s", cfg.json, strerror(errno));
    per_second();
    report(f);
    return 0;
}
