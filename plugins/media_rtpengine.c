/*
 * media_rtpengine -- anchors media with rtpengine daemons, over their ng protocol.
 *
 * For operators whose ends cannot reach each other: session descriptions of calls of an
 * IP group with MediaAnchor = 1 go through a daemon, which then carries the media.
 *
 * Rules
 *   1. A request is a datagram "COOKIE DICTIONARY" (bencoded); its answer has the same
 *      cookie.  It is repeated after 0.25 and 0.75 s, and given up 2 s after it was sent.
 *   2. offer, answer and delete carry a call-id of ours, and the tags of the caller's leg:
 *      from-tag is of who made the offer.
 *   3. A daemon is asked to ping every 5 s; one that leaves that or a request unanswered is
 *      down until it answers a ping.  It is said once that it went, and that it came back.
 *   4. A call is with the daemon that its number falls to among those of the list; while
 *      that one is down the next that is up takes its place.
 *   5. All are down: nobody is there, and MediaFailure of the group decides (the relay).
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <regway/plugin.h>

#include "bencode.h"

enum {
	DAEMONS = 4, JOBS = 4096, DATAGRAM = BENCODE_MOST, SDP_MOST = 60000, TAG_MOST = 256,
	PING_MS = 5000, FIRST_MS = 250, SECOND_MS = 500, LAST_MS = 1250,
};

struct cfg {
	const char *address;
};

struct anchor;

struct engine { /* one rtpengine */
	struct anchor *a;
	char name[64];
	int fd;
	bool up, known; /* known: it was said whether it is up */
	struct rg_timer_handle *ping;
	char cookie[24]; /* of the ping outstanding, "" none */
};

struct job {
	struct anchor *a;
	struct engine *e;
	struct rg_timer_handle *timer;
	void (*done)(void *, const char *, size_t); /* NULL: a delete */
	void *token;
	char *text; /* NULL: free */
	size_t len;
	uint32_t life;
	uint8_t tries;
};

struct anchor {
	const struct rg_host *host;
	struct rg_self *self;
	char address[256], id[17]; /* id: of this run, so that no call-id comes twice */
	struct engine engine[DAEMONS];
	unsigned n, pings;
	struct job *job;   /* JOBS of them */
	unsigned next;	   /* where to look for a free one */
	char *buf;	   /* DATAGRAM */
};

/* ---- daemons ------------------------------------------------------------------------------ */

static void tell(struct engine *e, bool up)
{
	if (e->known && e->up == up)
		return;
	if (e->known || !up)
		e->a->host->log(e->a->self, up ? RG_LOG_NOTICE : RG_LOG_WARNING,
				"rtpengine %s %s", e->name,
				up ? "answers again" : "does not answer");
	e->up = up;
	e->known = true;
}

static void ping(void *arg)
{
	struct engine *e = arg;
	char text[64];
	int n;

	if (*e->cookie)
		tell(e, false); /* the one before had no answer */			/* 3 */
	snprintf(e->cookie, sizeof e->cookie, "p%.8s%u", e->a->id, ++e->a->pings);
	n = snprintf(text, sizeof text, "%s d7:command4:pinge", e->cookie);
	(void)!send(e->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* soon at first, so that a start is not without media for long */
	e->a->host->timer(e->a->self, &e->ping, e->known && e->up ? PING_MS : PING_MS / 5, ping, e);
}

/* The daemon of a call: one that answers, else one that has had no time to; NULL: all are down. */
static struct engine *engine_of(struct anchor *a, uint64_t call)
{
	struct engine *unheard = NULL;

	for (unsigned i = 0; i < a->n; i++) {
		struct engine *e = &a->engine[(call + i) % a->n];		/* 4 */

		if (e->up)
			return e;
		if (!e->known && !unheard)
			unheard = e;
	}
	return unheard;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void job_free(struct job *j)
{
	j->a->host->timer(j->a->self, &j->timer, 0, NULL, NULL);
	free(j->text);
	j->text = NULL;
	j->life++;
}

static void finish(struct job *j, const char *sdp, size_t len)
{
	void (*done)(void *, const char *, size_t) = j->done;
	void *token = j->token;

	job_free(j);
	if (done)
		done(token, sdp, len);
}

static void again(void *arg)
{
	static const uint32_t wait[] = { SECOND_MS, LAST_MS };			/* 1 */
	struct job *j = arg;

	if (j->tries == sizeof wait / sizeof *wait) {
		tell(j->e, false);
		finish(j, NULL, 0);
		return;
	}
	(void)!send(j->e->fd, j->text, j->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	j->a->host->timer(j->a->self, &j->timer, wait[j->tries++], again, j);
}

static struct job *job_new(struct anchor *a)
{
	for (unsigned i = 0; i < JOBS; i++) {
		struct job *j = &a->job[a->next = (a->next + 1) % JOBS];

		if (!j->text) {
			j->tries = 0;
			j->done = NULL;
			j->token = NULL;
			return j;
		}
	}
	return NULL;
}

static bool job_send(struct job *j, struct engine *e, const struct out *o)
{
	size_t n = (size_t)(o->p - j->a->buf);

	if (o->full || !(j->text = malloc(n)))
		return false;
	memcpy(j->text, j->a->buf, n);
	j->len = n;
	j->e = e;
	/* A full queue is as good as a lost datagram: it is sent again. */
	(void)!send(e->fd, j->text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	j->a->host->timer(j->a->self, &j->timer, FIRST_MS, again, j);
	return true;
}

static struct out begin(struct anchor *a, const struct job *j, const char *command, uint64_t call)
{
	struct out o = { a->buf, a->buf + DATAGRAM, false };
	char text[64];
	int n = snprintf(text, sizeof text, "%.8s-%x-%x d", a->id, (unsigned)(j - a->job), j->life);

	put(&o, text, (size_t)n);
	n = snprintf(text, sizeof text, "%s-%" PRIu64, a->id, call);		/* 2 */
	put_pair(&o, "call-id", text, (size_t)n);
	put_pair(&o, "command", command, strlen(command));
	return o;
}

static bool rewrite(void *arg, const struct rg_media_job *m,
		    void (*done)(void *, const char *, size_t), void *token)
{
	struct anchor *a = arg;
	struct engine *e = engine_of(a, m->call);
	/* the offer's side: that of an answer is the other one's */
	bool by_caller = m->from_caller == m->offer;
	const char *from = by_caller ? m->from_tag : m->to_tag;
	const char *to = by_caller ? m->to_tag : m->from_tag;
	struct job *j;
	struct out o;

	if (!e || m->len > SDP_MOST || strlen(from) > TAG_MOST || strlen(to) > TAG_MOST)
		return false;							/* 5 */
	j = job_new(a);
	if (!j)
		return false;
	o = begin(a, j, m->offer ? "offer" : "answer", m->call);
	put_pair(&o, "from-tag", *from ? from : "none", *from ? strlen(from) : 4);
	put_string(&o, "replace", 7);
	put(&o, "l", 1);
	put_string(&o, "origin", 6);
	put_string(&o, "session-connection", 18);
	put(&o, "e", 1);
	put_pair(&o, "sdp", m->sdp, m->len);
	if (*to && (!m->offer || !by_caller || m->to_tag[0]))
		put_pair(&o, "to-tag", to, strlen(to));
	put(&o, "e", 1);
	j->done = done;
	j->token = token;
	return job_send(j, e, &o);
}

static void forget(void *arg, void *token)
{
	struct anchor *a = arg;

	for (unsigned i = 0; i < JOBS; i++)
		if (a->job[i].text && a->job[i].done && a->job[i].token == token)
			job_free(&a->job[i]);
}

static void end_call(void *arg, uint64_t call)
{
	struct anchor *a = arg;
	struct engine *e = engine_of(a, call);
	struct job *j = e ? job_new(a) : NULL;
	struct out o;

	if (!j)
		return; /* the daemon's own time-out ends it */
	o = begin(a, j, "delete", call);
	put_string(&o, "delete-delay", 12);
	put(&o, "i0e", 3);
	put(&o, "e", 1);
	(void)job_send(j, e, &o);
}

/* ---- answers ------------------------------------------------------------------------------ */

static void answered(struct job *j, const char *text, size_t len)
{
	const char *result, *sdp, *why;
	size_t n, sdp_len, why_len;

	if (!look_up(text, len, "result", &result, &n)) {
		finish(j, NULL, 0);
		return;
	}
	if (n == 2 && !memcmp(result, "ok", 2)) {
		bool found = look_up(text, len, "sdp", &sdp, &sdp_len);

		finish(j, found ? sdp : NULL, found ? sdp_len : 0);
		return;
	}
	if (!look_up(text, len, "error-reason", &why, &why_len))
		why = "", why_len = 0;
	if (j->done) /* to a delete: the daemon had forgotten it */
		j->a->host->log(j->a->self, RG_LOG_WARNING, "rtpengine %s: %.*s", j->e->name,
				(int)(why_len > 200 ? 200 : why_len), why);
	finish(j, NULL, 0);
}

static void received(struct engine *e, const char *text, size_t len)
{
	struct anchor *a = e->a;
	const char *space = memchr(text, ' ', len);
	size_t n = space ? (size_t)(space - text) : len;
	unsigned slot, life;
	char cookie[32];

	if (!space || n >= sizeof cookie)
		return;
	memcpy(cookie, text, n);
	cookie[n] = '\0';
	if (!strcmp(cookie, e->cookie)) {
		e->cookie[0] = '\0';
		tell(e, true);
		return;
	}
	if (strncmp(cookie, a->id, 8) || sscanf(cookie + 8, "-%x-%x", &slot, &life) != 2 ||
	    slot >= JOBS || !a->job[slot].text || a->job[slot].life != life ||
	    a->job[slot].e != e)
		return;
	tell(e, true);
	answered(&a->job[slot], space + 1, len - n - 1);
}

static void readable(int fd, uint32_t events, void *arg)
{
	struct engine *e = arg;
	struct anchor *a = e->a;
	ssize_t n;

	(void)events;
	while ((n = recv(fd, a->buf, DATAGRAM, MSG_DONTWAIT)) > 0) {
		char *copy = malloc((size_t)n); /* what it sets off may use the buffer */

		if (!copy)
			return;
		memcpy(copy, a->buf, (size_t)n);
		received(e, copy, (size_t)n);
		free(copy);
	}
}

/* ---- the service -------------------------------------------------------------------------- */

/* "192.0.2.1:2223" or "[2001:db8::1]:2223". */
static bool parse(const char *text, size_t n, struct sockaddr_storage *sa, socklen_t *len)
{
	char host[64], *port, *end;
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	long number;

	if (n >= sizeof host)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	port = strrchr(host, ':');
	if (!port || port == host)
		return false;
	*port++ = '\0';
	number = strtol(port, &end, 10);
	if (*end || end == port || number < 1 || number > 65535)
		return false;
	memset(sa, 0, sizeof *sa);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)number);
		*len = sizeof *in6;
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)number);
	*len = sizeof *in;
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static int add_engine(struct anchor *a, const char *text, size_t n)
{
	struct engine *e = &a->engine[a->n];
	struct sockaddr_storage sa;
	socklen_t len;

	if (a->n == DAEMONS || !parse(text, n, &sa, &len))
		return EINVAL;
	e->a = a;
	snprintf(e->name, sizeof e->name, "%.*s", (int)n, text);
	e->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		return errno;
	a->n++;
	if (connect(e->fd, (struct sockaddr *)&sa, len))
		return errno;
	return a->host->fd(a->self, e->fd, RG_FD_READ, readable, e);
}

static void stop(void *priv)
{
	struct anchor *a = priv;

	a->host->media(a->self, NULL); /* what waits was forgotten by it */
	for (unsigned i = 0; i < JOBS; i++)
		if (a->job[i].text)
			job_free(&a->job[i]);
	for (unsigned i = 0; i < a->n; i++) {
		struct engine *e = &a->engine[i];

		a->host->timer(a->self, &e->ping, 0, NULL, NULL);
		a->host->fd(a->self, e->fd, 0, NULL, NULL);
		close(e->fd);
	}
	free(a->job);
	free(a->buf);
	free(a);
}

static struct anchor *anchor_new(const struct rg_host *host, struct rg_self *self)
{
	struct anchor *a = calloc(1, sizeof *a);
	uint64_t id;

	if (!a)
		return NULL;
	a->host = host;
	a->self = self;
	a->job = calloc(JOBS, sizeof *a->job);
	a->buf = malloc(DATAGRAM);
	if (!a->job || !a->buf || getrandom(&id, sizeof id, 0) != sizeof id) {
		free(a->job);
		free(a->buf);
		free(a);
		return NULL;
	}
	for (unsigned i = 0; i < JOBS; i++)
		a->job[i].a = a;
	snprintf(a->id, sizeof a->id, "%016" PRIx64, id);
	return a;
}

static int start(const struct rg_host *host, struct rg_self *self, const void *pcfg, void **priv,
		 struct rg_fault *f)
{
	const struct cfg *cfg = pcfg;
	struct anchor *a;
	int err = 0;

	if (host->size < offsetof(struct rg_host, media) + sizeof host->media)
		return ENOTSUP;
	a = anchor_new(host, self);
	if (!a)
		return ENOMEM;
	snprintf(a->address, sizeof a->address, "%s", cfg->address);
	for (const char *p = a->address; !err && *p;) {
		size_t n = strcspn(p, ", ");

		err = n ? add_engine(a, p, n) : 0;
		if (err)
			snprintf(f->text, sizeof f->text,
				 "RtpengineAddress: %.*s: %s (ADDRESS:PORT, at most %d)", (int)n, p,
				 strerror(err), DAEMONS);
		p += n;
		p += strspn(p, ", ");
	}
	if (!err) {
		struct rg_media m = { a, rewrite, forget, end_call };

		err = host->media(self, &m);
	}
	if (err) {
		stop(a);
		return err;
	}
	for (unsigned i = 0; i < a->n; i++)
		ping(&a->engine[i]);
	*priv = a;
	return 0;
}

static bool reconf(void *priv, const void *pcfg)
{
	const struct anchor *a = priv;
	const struct cfg *cfg = pcfg;

	return !strcmp(a->address, cfg->address);
}

static const struct rg_param params[] = {
	{ .name = "RtpengineAddress", .scope = RG_GLOBAL, .type = RG_T_STR,
	  .dflt = "127.0.0.1:2223", .offset = offsetof(struct cfg, address),
	  .doc = "Where rtpengine listens for its ng protocol: ADDRESS:PORT, up to four of them, "
		 "separated by commas." },
	RG_IMPLEMENTS(RG_IP_GROUP, "MediaAnchor", "1"),
	RG_END,
};

RG_SERVICE(media_rtpengine) = {
	RG_SERVICE_HEAD("media_rtpengine", "anchors media with rtpengine (MediaAnchor)", params),
	.cfg_size = sizeof(struct cfg),
	.start = start,
	.reconf = reconf,
	.stop = stop,
};
