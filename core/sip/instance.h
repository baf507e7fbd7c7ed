/* instance.h -- the instance of an account: what tells its registrations from those of
 * others for the same address of record. */
#ifndef RG_SIP_INSTANCE_H
#define RG_SIP_INSTANCE_H

enum { SIP_INSTANCE = 46 }; /* with its end */

/* "urn:uuid:..." of user@host on this machine: the same after each start (RFC 5626 4.1, RFC
 * 9562 5.8), another one on another machine.  It says nothing of the machine's id. */
void sip_instance(char out[SIP_INSTANCE], const char *user, const char *host);

#endif
