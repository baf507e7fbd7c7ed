"""Messages that stretch SIP's grammar, or break it, one for each case of RFC 4475 and under
its names; the words are our own.  {n} is the length of what follows the blank line."""

SDP = """v=0
o=- 7 7 IN IP4 198.51.100.4
s=-
c=IN IP4 198.51.100.4
t=0 0
m=audio 38000 RTP/AVP 0 8
"""

TEXT = {
    # valid, though few would write it so
    "wsinv": """INVITE sip:exchange@depot.example;whatever SIP/2.0
tO :
 sip:exchange@depot.example ;  tag   =  77aaX
fROM  :  "Q \\\\\\""    <sip:yard@rail.example>
   ;
   tag  = 5six
MAX-forwards: 0041
Call-ID: blanks.1@rail.example
CONTENT-length   : {n}
cSEQ: 00012
   INVITE
Via   :  SIP  /  2.0
  /UDP
    198.51.100.4;branch=old-style-branch
s :
X-Made-Up:   one
  two
X-Only-Separators: ;;,;,,;
content-TYPE: application/sdp
Route:
  <sip:way.example;lr;some=thing;nothing>
v:   SIP  / 2.0  / TCP    inner.example  ;
   branch =   z9hG4bKinner  ,
  SIP / 2.0 / UDP  10.9.8.7  ; branch=
  z9hG4bKinnermost
m: "\\"quoted\\" twice" <sip:yard@rail.example>  ;  fresh  =
     value ;
   nothing ; q = 0.4

""" + SDP,
    "intmeth": """~Odd.Method-42!%*_+`'-and-as-long-as-this-one sip:who(is)&that=you+or$them/?really,;:*!or~so@depot.example SIP/2.0
Via: SIP/2.0/UDP rail.example;branch=z9hG4bK~odd.!%*_+`'-
To: "bell \\\x07 del \\\x7f" <sip:who(is)&that=you+or$them/?really,;*@depot.example>
From: w1~' w2.+* w3_!% <sip:plain@rail.example>;p'~*.!%_`+-="\u0435\u0449\u0451";tag=t~_'%1!*
Call-ID: odd!"%'()*+-./0:<>?@[\\]_`{{~}}
CSeq: 77 ~Odd.Method-42!%*_+`'-and-as-long-as-this-one
Max-Forwards: 255
X-!.%*+_`'~-Name: \u6771\u4eac
Content-Length: 0

""",
    "esc01": """INVITE sip:sips%3Agate%40depot.example@rail.example SIP/2.0
To: sip:%67at%65@depot.example
From: <sip:two%20words@rail.example>;tag=11
Max-Forwards: 70
i: percent.1
CSeq: 5 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKpercent1
c: application/sdp
Contact:
   <sip:y%61rd@rail.example;%6C%72;%6eame=%76%25%34%32>
Content-Length: {n}

""" + SDP,
    "escnull": """REGISTER sip:depot.example SIP/2.0
To: sip:zero-%00-zero@depot.example
From: sip:zero-%00-zero@depot.example;tag=12
Max-Forwards: 70
Call-ID: percent.nul
CSeq: 6 REGISTER
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKnul
Contact: <sip:%00@rail.example>
Contact: <sip:%00%00@rail.example>
l:0

""",
    "esc02": """%4fPTION%53 sip:gate@depot.example SIP/2.0
To: "%5%41" <sip:gate@depot.example>
From: "%5%41" <sip:yard@rail.example>;tag=13
Call-ID: percent.2
Via: SIP/2.0/UDP rail.example;branch=z9hG4bK%61%zz
CSeq: 7 %4fPTION%53
Max-Forwards: 70
Contact: <sip:first@rail.example>
%43ontact: <sip:second@rail.example>
l: 0

""",
    "lwsdisp": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: yard<sip:yard@rail.example>;tag=14
Max-Forwards: 70
Call-ID: tight.1
CSeq: 8 OPTIONS
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKtight
l: 0

""",
    "longreq": "INVITE sip:gate@depot.example SIP/2.0\nTo: \"" + "a rather " * 20 + "long name\" <sip:gate@depot.example:6000;"
    + "p" * 100 + "=v;" + "q" * 90 + ">\nF: sip:" + "yard" * 30 + "@rail.example;tag=" + "9" * 150 + ";" + "w" * 80 + "\n"
    + "Call-ID: " + "really." * 20 + "long\nCSeq: 3111222 INVITE\nX-" + "Very" * 25 + "-Long: " + "value; " * 30 + "\n"
    + "".join("%s: SIP/2.0/UDP hop%d.example\n" % (("Via", "v", "V", "vIA", "viA ", "VIA  ")[i % 6], i) for i in range(33))
    + "Via: SIP/2.0/UDP last.example;received=198.51.100.4;branch=" + "b" * 200 + "\nMax-Forwards: 70\nContact: <sip:"
    + "yard" * 30 + "@rail.example>\nContent-Type: application/sdp\nl: {n}\n\n" + SDP,
    "dblreq": """REGISTER sip:depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:gate@depot.example;tag=15
Max-Forwards: 9
I: two.1
Contact: sip:gate@rail.example
CSeq: 9 REGISTER
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKtwo1
Content-Length: 0


INVITE sip:second@depot.example SIP/2.0
t: sip:second@depot.example
From: sip:yard@rail.example;tag=16
Max-Forwards: 9
Call-ID: two.2
CSeq: 9 INVITE
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKtwo2
Content-Length: 0

""",
    "semiuri": """OPTIONS sip:gate;a=b%40c@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=17
Max-Forwards: 3
Call-ID: semicolon.1
CSeq: 10 OPTIONS
Accept: application/sdp,
      message/sipfrag
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKsemi
l: 0

""",
    "transports": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: <sip:yard@rail.example>;tag=18
Max-Forwards: 70
Call-ID: transports.1
CSeq: 11 OPTIONS
Via: SIP/2.0/UDP a.example;branch=z9hG4bKt1
Via: SIP/2.0/SCTP b.example;branch=z9hG4bKt2
Via: SIP/2.0/TLS c.example;branch=z9hG4bKt3
Via: SIP/2.0/UNHEARD-OF d.example;branch=z9hG4bKt4
Via: SIP/2.0/TCP e.example;branch=z9hG4bKt5
l: 0

""",
    "mpart01": "MESSAGE sip:gate@depot.example SIP/2.0\nVia: SIP/2.0/UDP rail.example:5070;branch=z9hG4bKparts;rport\n"
    "Max-Forwards: 70\nTo: <sip:gate@depot.example>\nFrom: <sip:yard@rail.example>;tag=19\nCall-ID: parts.1\n"
    "CSeq: 12 MESSAGE\nContent-Type: multipart/mixed;boundary=cut\nContent-Length: {n}\n\n"
    "--cut\nContent-Type: text/plain\n\nHello\n--cut\nContent-Type: application/octet-stream\n"
    "Content-Transfer-Encoding: binary\n\n\x00\x01\u00ff\x00INVITE sip:x SIP/2.0\n\n\n--cut--\n",
    "unreason": "SIP/2.0 200 = 1 + 199 \u0434\u0432\u0435\u0441\u0442\u0438\nVia: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKwords\n"
    "Call-ID: words.1\nCSeq: 13 INVITE\nFrom: sip:yard@rail.example;tag=20\nTo: sip:gate@depot.example;tag=21\n"
    "Contact: <sip:gate@depot.example>\nContent-Type: application/sdp\nContent-Length: {n}\n\n" + SDP,
    "noreason": "SIP/2.0 100 \nVia: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKnowords\nCall-ID: words.2\nCSeq: 14 INVITE\n"
    "From: <sip:yard@rail.example>;tag=22\nTo: <sip:gate@depot.example>\nContent-Length: 0\n\n",

    # invalid
    "badinv01": """INVITE sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=23
Max-Forwards: 7
Call-ID: separators.1
CSeq: 15 INVITE
Via: SIP/2.0/UDP 198.51.100.4;,;;,
Contact: "Yard" <sip:yard@rail.example>;;;
Content-Length: 0

""",
    "clerr": """INVITE sip:gate@depot.example SIP/2.0
Max-Forwards: 80
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=24
Contact: <sip:yard@rail.example>
Call-ID: length.1
CSeq: 16 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKlength1
Content-Type: application/sdp
Content-Length: 7777

""" + SDP,
    "ncl": """INVITE sip:gate@depot.example SIP/2.0
Max-Forwards: 80
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=25
Contact: <sip:yard@rail.example>
Call-ID: length.2
CSeq: 17 INVITE
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKlength2
Content-Type: application/sdp
Content-Length: -42

""" + SDP,
    "scalar02": "REGISTER sip:depot.example SIP/2.0\nVia: SIP/2.0/UDP rail.example;branch=z9hG4bKbig\n"
    "To: <sip:gate@depot.example>\nFrom: <sip:gate@depot.example>;tag=26\nCSeq: 18446744073709551617 REGISTER\n"
    "Call-ID: big.1\nMax-Forwards: 256\nExpires: 1" + "0" * 60 + "\nContact: <sip:gate@rail.example>;expires=4294967297\n"
    "Content-Length: 0\n\n",
    "scalarlg": "SIP/2.0 503 Not now\nVia: SIP/2.0/UDP rail.example;branch=z9hG4bKbig2\nTo: <sip:gate@depot.example>\n"
    "From: <sip:yard@rail.example>;tag=27\nCSeq: 18446744073709551617 OPTIONS\nCall-ID: big.2\n"
    "Retry-After: 99999999999999999999999\nWarning: 9999 rail.example \"?\"\nContent-Length: 0\n\n",
    "quotbal": """INVITE sip:gate@depot.example SIP/2.0
To: "Gate of the depot <sip:gate@depot.example>
From: sip:yard@rail.example;tag=28
Max-Forwards: 10
Call-ID: quotes.1
Contact: <sip:yard@rail.example>
CSeq: 18 INVITE
Via: SIP/2.0/UDP 198.51.100.4:5050;branch=z9hG4bKquotes
Content-Type: application/sdp
Content-Length: {n}

""" + SDP,
    "ltgtruri": """INVITE <sip:gate@depot.example> SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=29
Max-Forwards: 1
Call-ID: brackets.1
CSeq: 19 INVITE
Via: SIP/2.0/UDP 198.51.100.4
Contact: <sip:yard@rail.example>
Content-Type: application/sdp
Content-Length: {n}

""" + SDP,
    "lwsruri": """INVITE sip:gate@depot.example; lr SIP/2.0
To: sip:gate@depot.example;tag=31
From: sip:yard@rail.example;tag=30
Max-Forwards: 4
Call-ID: blank.1
CSeq: 20 INVITE
Via: SIP/2.0/UDP 198.51.100.4:5060;branch=z9hG4bKblank1
Contact: <sip:yard@rail.example>
Content-Length: 0

""",
    "lwsstart": """INVITE  sip:gate@depot.example  SIP/2.0
Max-Forwards: 8
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=32
Call-ID: blank.2
CSeq: 21 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKblank2
Contact: <sip:yard@rail.example>
Content-Length: 0

""",
    "trws": """OPTIONS sip:gate@depot.example SIP/2.0 \t
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKblank3
To: <sip:gate@depot.example>
From: <sip:yard@rail.example>;tag=33
Call-ID: blank.3
CSeq: 22 OPTIONS
Max-Forwards: 70
Content-Length: 0

""",
    "escruri": """INVITE sip:gate@depot.example?Route=%3Csip:elsewhere.example%3E SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=34
Max-Forwards: 7
Contact: <sip:yard@rail.example>
Call-ID: headers.1
CSeq: 23 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKheaders1
Content-Length: 0

""",
    "baddate": """INVITE sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=35
Max-Forwards: 7
Call-ID: date.1
CSeq: 24 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKdate
Date: Sat, 31 Jan 2026 25:61:00 CET
Contact: <sip:yard@rail.example>
Content-Length: 0

""",
    "regbadct": """REGISTER sip:depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:gate@depot.example;tag=36
Max-Forwards: 70
Call-ID: headers.2
CSeq: 1 REGISTER
Via: SIP/2.0/UDP 198.51.100.4:5060;branch=z9hG4bKheaders2
Contact: sip:gate@rail.example?Route=%3Csip:elsewhere.example%3E
l: 0

""",
    "badaspec": """OPTIONS sip:gate@depot.example SIP/2.0
Via: SIP/2.0/UDP rail.example:5060;branch=z9hG4bKinside
Max-Forwards: 70
From: "Yard, the" <sip:yard@rail.example>;tag=37
To: "Gate, the" <  sip:gate@depot.example  >
Call-ID: blank.4
CSeq: 25 OPTIONS
l: 0

""",
    "baddn": """OPTIONS sip:gate@depot.example SIP/2.0
Via:     SIP/2.0/UDP rail.example:5060;branch=z9hG4bKcomma
Max-Forwards:      70
From:    Yard, the <sip:yard@rail.example>;tag=38
To:      Gate, the <sip:gate@depot.example>
Call-ID: comma.1
CSeq:    26 OPTIONS
l: 0

""",
    "badvers": """OPTIONS sip:gate@depot.example SIP/9.1
Via:     SIP/9.1/UDP rail.example;branch=z9hG4bKversion
Max-Forwards:     70
From:    Y. Ard <sip:yard@rail.example>;tag=39
To:      G. Ate <sip:gate@depot.example>
Call-ID: version.1
CSeq:    27 OPTIONS
l: 0

""",
    "mismatch01": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=40
Max-Forwards: 6
Call-ID: method.1
CSeq: 28 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKmethod1
l: 0

""",
    "mismatch02": """FRESHLYMADE sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=41
Max-Forwards: 6
Call-ID: method.2
CSeq: 29 INVITE
Contact: <sip:yard@rail.example>
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKmethod2
l: 0

""",
    "bigcode": "SIP/2.0 4294967496 two hundred more than fits\nVia: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKcode\n"
    "Call-ID: code.1\nCSeq: 30 INVITE\nFrom: <sip:yard@rail.example>;tag=42\nTo: <sip:gate@depot.example>;tag=43\n"
    "Content-Length: 0\n\n",

    # the rules of transactions and of what an application makes of it
    "badbranch": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=44
Max-Forwards: 6
Call-ID: branch.1
CSeq: 31 OPTIONS
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bK
l: 0

""",
    "insuf": """INVITE sip:gate@depot.example SIP/2.0
CSeq: 32 INVITE
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKnothing
Content-Type: application/sdp
l: {n}

""" + SDP,
    "unkscm": """OPTIONS unheardof:opaque-content SIP/2.0
To: sip:gate@depot.example
From: <sip:yard@rail.example>;tag=45
Max-Forwards: 3
Call-ID: scheme.1
CSeq: 33 OPTIONS
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKscheme1
Content-Length: 0

""",
    "novelsc": """OPTIONS coap.udp://198.51.100.9:5683 SIP/2.0
To: sip:gate@depot.example
From: <sip:yard@rail.example>;tag=46
Max-Forwards: 3
Call-ID: scheme.2
CSeq: 34 OPTIONS
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKscheme2
Content-Length: 0

""",
    "unksm2": """REGISTER sip:depot.example SIP/2.0
To: doi:10.1000/182
From: <https://rail.example/>;tag=47
Call-ID: scheme.3
CSeq: 35 REGISTER
Max-Forwards: 70
Via: SIP/2.0/UDP 198.51.100.4:5060;branch=z9hG4bKscheme3
Contact: <person:Yard>
l: 0

""",
    "bext01": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=48
Max-Forwards: 6
Call-ID: require.1
Require: never-heard-of, nor-of-this
Proxy-Require: no-proxy-has-it, nor-this
CSeq: 36 OPTIONS
Via: SIP/2.0/TLS rail.example;branch=z9hG4bKrequire
Content-Length: 0

""",
    "invut": """INVITE sip:gate@depot.example SIP/2.0
Contact: <sip:yard@rail.example>
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=49
Max-Forwards: 70
Call-ID: type.1
CSeq: 37 INVITE
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKtype
Content-Type: application/never-seen
Content-Length: {n}

<anything/>
""",
    "regaut01": """REGISTER sip:depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:gate@depot.example;tag=50
Max-Forwards: 8
Call-ID: auth.1
CSeq: 38 REGISTER
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKauth
Authorization: Handshake firm=yes
Content-Length:0

""",
    "multi01": """INVITE sip:gate@depot.example SIP/2.0
Contact: <sip:yard@rail.example>
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKtwice
Max-Forwards: 70
CSeq: 39 INVITE
Call-ID: twice.1
CSeq: 93 INVITE
Call-ID: twice.2
From: sip:yard@rail.example;tag=51
To: sip:gate@depot.example
To: sip:door@depot.example
From: sip:siding@rail.example;tag=52
Contact: <sip:siding@rail.example>
Max-Forwards: 5
l: 0

""",
    "mcl01": """OPTIONS sip:gate@depot.example SIP/2.0
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKlengths
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=53
Max-Forwards: 70
Call-ID: length.3
CSeq: 40 OPTIONS
Content-Length: 11
Content-Length: 4

Which is it?
""",
    "bcast": "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKbc1\nVia: SIP/2.0/UDP 255.255.255.255;"
    "branch=z9hG4bKbc2\nCall-ID: everyone.1\nCSeq: 41 INVITE\nFrom: sip:yard@rail.example;tag=54\n"
    "To: sip:gate@depot.example;tag=55\nContact: <sip:gate@depot.example>\nContent-Type: application/sdp\n"
    "Content-Length: {n}\n\n" + SDP,
    "zeromf": """OPTIONS sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:yard@rail.example;tag=56
Call-ID: hops.1
CSeq: 42 OPTIONS
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKhops
Max-Forwards: 0
Content-Length: 0

""",
    "cparam01": """REGISTER sip:depot.example SIP/2.0
Via: SIP/2.0/UDP rail.example:5060;branch=z9hG4bKcp1
Max-Forwards: 70
From: sip:gate@depot.example;tag=57
To: sip:gate@depot.example
Call-ID: param.1
CSeq: 43 REGISTER
Contact: sip:+4930123@rail.example;whatever
l: 0

""",
    "cparam02": """REGISTER sip:depot.example SIP/2.0
Via: SIP/2.0/UDP rail.example:5060;branch=z9hG4bKcp2
Max-Forwards: 70
From: sip:gate@depot.example;tag=58
To: sip:gate@depot.example
Call-ID: param.2
CSeq: 44 REGISTER
Contact: <sip:+4930123@rail.example;whatever>
l: 0

""",
    "regescrt": """REGISTER sip:depot.example SIP/2.0
To: sip:gate@depot.example
From: sip:gate@depot.example;tag=59
Max-Forwards: 70
Call-ID: headers.3
CSeq: 45 REGISTER
Via: SIP/2.0/UDP rail.example;branch=z9hG4bKheaders3
M: <sip:gate@rail.example?Route=%3Csip:elsewhere.example%3E>
L:0

""",
    "sdp01": """INVITE sip:gate@depot.example SIP/2.0
To: sip:gate@depot.example
Contact: <sip:yard@rail.example>
From: sip:yard@rail.example;tag=60
Max-Forwards: 6
Call-ID: accept.1
Accept: text/strange
CSeq: 46 INVITE
Via: SIP/2.0/UDP 198.51.100.4;branch=z9hG4bKaccept
Content-Type: application/sdp
Content-Length: {n}

""" + SDP,
    "inv2543": """INVITE sip:gate@depot.example SIP/2.0
Via: SIP/2.0/UDP rail.example
From: <sip:yard@rail.example>
To: <sip:gate@depot.example>
Call-ID: elder.1
CSeq: 1 INVITE
Contact: <sip:yard@rail.example>
Content-Type: application/sdp

""" + SDP,
}


def message(name):
    """As it goes over the wire."""
    text = TEXT[name].replace("\n", "\r\n")
    head, blank, body = text.partition("\r\n\r\n")
    size = len(body.encode("latin-1" if name == "mpart01" else "utf-8"))
    head = head.replace("{n}", str(size)).replace("{{", "{").replace("}}", "}")
    return head.encode() + blank.encode() + body.encode("latin-1" if name == "mpart01" else "utf-8")


def ours():
    return {name: message(name) for name in TEXT}
