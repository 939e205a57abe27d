//! The flows of the simulated cases, and their next versions.

use super::starts::Plan;
use super::timetable::{BERLIN, DAILY, Due, LORD_HOWE, SATURDAYS, WORKDAYS};

/// Flows whose every step the game can follow.
pub(super) const PLAYED: [&str; 7] = [
    "name: order
tasks:
  begin:
    { kind: host, split: or,
      next: [{ to: credit, when: .input.x > 1 }, { to: customs, when: .input.x != 2 }, accept] }
  credit: { kind: host, retry: { attempts: 3, delay: 10m }, next: accept }
  customs: { kind: host, timeout: 1h, retry: { attempts: 9, delay: 1m }, next: accept }
  accept: { kind: host, join: or, split: xor, next: [{ to: begin2, when: .accept.again }, end] }
  begin2: { kind: set, set: { .twice: 'true' }, next: end }
  end: { kind: log, join: xor, message: '\"done\"' }
",
    "name: sections
tasks:
  begin: { split: and, next: [load, fetch, other] }
  load: { kind: host, next: print }
  print: { kind: host, cancels: [copy], next: done }
  fetch: { kind: host, next: copy }
  copy: { kind: host, next: done }
  other: { kind: wait, for: 20m, mutex: printer, next: done }
  done: { join: or }
sections:
  forms: { tasks: [load, print], mutex: printer }
  copies: { tasks: [fetch, copy], mutex: printer }
",
    "name: choice
start: asked
places:
  asked: { next: [answer, give_up, go] }
tasks:
  answer: { kind: host, next: end }
  give_up: { kind: wait, for: 3h, next: end }
  go: { kind: signal, keep: true, next: end }
  end: { kind: set, join: xor, set: { .end: '1' } }
",
    "name: first
tasks:
  begin: { split: and, next: [fax, phone, letter] }
  fax: { kind: host, cancels: [phone, letter], next: done }
  phone: { kind: host, cancels: [fax, letter], next: done }
  letter: { kind: wait, for: 2d, cancels: [fax, phone], next: done }
  done: { join: xor, kind: log, message: '\"first\"' }
",
    "name: milestone
start: begin
places:
  packing: { next: ship }
  changeable: { next: [change, close] }
tasks:
  begin: { split: and, next: [pack, changeable] }
  pack: { kind: host, next: packing }
  ship: { kind: host }
  change: { kind: host, tests: packing, next: changeable }
  close: { kind: wait, for: 1d }
",
    "name: loop
tasks:
  begin: { kind: set, set: { .n: '1' }, next: work }
  work:
    { kind: host, join: xor, retry: { attempts: 2, delay: 1s, factor: 2 }, split: xor,
      next: [{ to: work2, when: .work.again }, end] }
  work2: { kind: wait, for: 5m, next: work }
  end: { kind: host }
",
    "name: merge
tasks:
  begin: { split: and, next: [a, b, c] }
  a: { kind: host, next: m }
  b: { kind: host, next: m }
  c: { kind: wait, for: 30m, next: m }
  m: { join: xor, kind: host, next: n }
  n: { kind: signal, signal: go, keep: true }
",
];

/// Flows with what the game does not know: joins that count, instances, called cases, what is undone, lanes, kept
/// signals, deadlines, schedules. For these the laws of histories ([`super::laws`]), lanes and signals
/// ([`super::turns`]) are checked.
pub(super) const OTHERS: [&str; 20] = [
    "name: fastest
tasks:
  ask: { split: and, next: [north, south, west] }
  north: { kind: host, next: enough }
  south: { kind: host, next: enough }
  west: { kind: host, next: enough }
  enough:
    { join: { of: 2, reset: cancel }, next: decide,
      cancels: [north, south, west, north>enough, south>enough, west>enough] }
  decide: { kind: host }
",
    "name: several
tasks:
  offers:
    { kind: host, many: { items: '5', threshold: 3, add: true, max: 9 }, retry: { attempts: 50, delay: 1s },
      next: choose }
  choose: { kind: host }
",
    "name: caller
tasks:
  first: { kind: flow, flow: below, next: then }
  then: { kind: host }
flows:
  below:
    tasks:
      deep: { kind: host, retry: { attempts: 50, delay: 1s }, next: later }
      later: { kind: wait, for: 1h }
",
    "name: hurry
tasks:
  begin: { split: and, next: [call, stop] }
  call: { kind: flow, flow: slow, next: over }
  stop: { kind: host, cancels: [call], next: over }
  over: { join: xor }
flows:
  slow:
    tasks:
      slow1: { kind: host, compensate: unslow1, split: and, next: [slow2, slow3] }
      slow2: { kind: host, many: { items: '2' }, retry: { attempts: 3, delay: 1m }, next: slow4 }
      slow3: { kind: flow, flow: slower, next: slow4 }
      slow4: { join: and, kind: host }
      unslow1: { kind: host, retry: { attempts: 4, delay: 1m } }
  slower:
    tasks:
      slower1: { kind: host, timeout: 40m, retry: { attempts: 5, delay: 30s } }
",
    "name: trip
tasks:
  flight: { kind: host, compensate: unflight, split: and, next: [hotel, tour, seats] }
  hotel: { kind: host, compensate: unhotel, retry: { attempts: 2, delay: 1m }, next: arrive }
  tour: { kind: flow, flow: guided, next: arrive }
  seats: { kind: host, many: { items: '3' }, retry: { attempts: 9, delay: 1s }, compensate: unseats, next: arrive }
  arrive: { join: and, kind: host, on_error: amend, next: gone }
  amend: { kind: compensate, of: [hotel, seats], next: hotel2 }
  hotel2: { kind: host, compensate: unhotel2, on_error: give_up, next: gone }
  give_up: { kind: compensate, next: gone }
  gone: { join: xor, kind: host }
  unflight: { kind: host, retry: { attempts: 5, delay: 1m } }
  unhotel: { kind: set, set: { .unhotel: '(.unhotel // 0) + 1' } }
  unhotel2: { kind: host, timeout: 1h, retry: { attempts: 5, delay: 1m } }
  unseats: { kind: host, retry: { attempts: 5, delay: 1m } }
flows:
  guided:
    tasks:
      guide: { kind: host, compensate: unguide, retry: { attempts: 3, delay: 1m }, next: meal }
      meal: { kind: host, compensate: unmeal, retry: { attempts: 3, delay: 1m } }
      unguide: { kind: log, message: '\"bye\"' }
      unmeal: { kind: host, retry: { attempts: 5, delay: 1m } }
",
    "name: mails
tasks:
  mail:
    kind: host
    many: { items: '7' }
    retry: { attempts: 50, delay: 1s }
    lane: { key: '$index % 3', limit: 2, priority: 'if $index >= 5 then 1 else 0 end' }
",
    "name: drips
tasks:
  drip:
    kind: host
    many: { items: '4' }
    retry: { attempts: 50, delay: 1s }
    lane: { rate: { count: 2, per: 10m, burst: 2 } }
",
    "name: mailbox
tasks:
  box: { kind: signal, signal: go, keep: true, join: xor, into: .last, next: keep }
  keep:
    { kind: set, set: { .all: '(.all // []) + [.last]' }, split: xor,
      next: [{ to: full, when: (.all | length) > 40 }, box] }
  full: { kind: host }
",
    "name: keyed
tasks:
  kbox: { kind: signal, signal: paid, keep: true, key: .input.x, join: xor, into: .last, next: kkeep }
  kkeep:
    { kind: set, set: { .all: '(.all // []) + [.last]' }, split: xor,
      next: [{ to: kfull, when: (.all | length) > 40 }, kbox] }
  kfull: { kind: host }
",
    "name: asked
tasks:
  box:
    { kind: signal, signal: go, keep: true, join: xor, into: .last, output: '. + 0', schema: { type: integer },
      reply: '{at: .last}', next: keep }
  keep:
    { kind: set, set: { .all: '(.all // []) + [.last]' }, split: xor,
      next: [{ to: full, when: (.all | length) > 40 }, box] }
  full: { kind: host }
",
    "name: rounds
tasks:
  rbegin: { split: and, next: [ra, rb, rc, rd] }
  ra: { kind: host, split: and, next: [first_of, partial] }
  rb: { kind: host, split: and, next: [first_of, partial] }
  rc: { kind: wait, for: 20m, split: and, next: [first_of, partial] }
  rd: { kind: host, retry: { attempts: 50, delay: 1m }, split: and, next: [first_of, partial] }
  first_of: { join: { of: 1 }, next: rone }
  rone: { kind: host, retry: { attempts: 50, delay: 1m } }
  partial: { join: { of: 2, reset: blocking }, next: rtwo }
  rtwo: { kind: host }
",
    "name: late
tasks:
  begin: { split: and, next: [soon, calls, some] }
  soon: { kind: host, deadline: 2h, retry: { attempts: 50, delay: 20m, factor: 1 }, on_error: guess, next: told }
  guess: { kind: wait, for: 10m, next: told }
  calls: { kind: flow, flow: lengthy, deadline: 3h, on_error: { skip: true }, next: told }
  some:
    { kind: host, many: { items: '3' }, deadline: 4h, retry: { attempts: 50, delay: 1m }, on_error: { skip: true },
      next: told }
  told: { join: xor, kind: log, message: '\"told\"' }
flows:
  lengthy:
    tasks:
      lengthy1: { kind: host, retry: { attempts: 50, delay: 30m, factor: 1 }, next: lengthy2 }
      lengthy2: { kind: signal, signal: none, deadline: 90m }
",
    "name: bounded
deadline: 5h
tasks:
  bounded1: { kind: host, compensate: unbounded1, retry: { attempts: 50, delay: 30m, factor: 1 }, next: bounded2 }
  bounded2: { kind: signal, signal: go, next: bounded3 }
  bounded3: { kind: host }
  unbounded1: { kind: host, retry: { attempts: 9, delay: 1m } }
",
    "name: diverted
deadline: { after: 4h, to: instead }
tasks:
  divert1: { kind: host, split: and, retry: { attempts: 50, delay: 30m, factor: 1 }, next: [divert2, divert3] }
  divert2: { kind: signal, signal: go, next: divert4 }
  divert3: { kind: flow, flow: diverted_below, next: divert4 }
  divert4: { kind: host, join: and, next: instead }
  instead: { kind: host, join: xor }
flows:
  diverted_below:
    tasks: { divert5: { kind: host } }
",
    "name: skips
schedule: { cron: '20 * * * *', zone: Europe/Berlin }
tasks:
  skips1: { kind: host, deadline: 12h, on_error: { skip: true } }
",
    "name: queues
schedule: { every: 5h, overlap: queue, catch_up: 3, input: { x: 1 } }
tasks:
  queues1: { kind: host, deadline: 20h, on_error: { skip: true }, next: queues2 }
  queues2: { kind: set, set: { .end: '1' } }
",
    "name: replaces
schedule: { every: 9h, overlap: cancel, catch_up: 2 }
tasks:
  replaces1: { kind: host, compensate: unreplaces1, next: replaces2 }
  replaces2: { kind: wait, for: 6h }
  unreplaces1: { kind: host, retry: { attempts: 9, delay: 1m } }
",
    "name: piles
schedule: { every: 11h, overlap: allow, catch_up: 0 }
tasks:
  piles1: { kind: host, deadline: 8h, on_error: { skip: true } }
",
    "name: wakes
schedule:
  { cron: ['30 2 * * *', '0 9 * * MON-FRI', '0 12 * * SAT'], zone: Europe/Berlin, overlap: allow, catch_up: 3 }
tasks:
  wakes1: { kind: host, deadline: 20h, on_error: { skip: true } }
",
    "name: dawns
schedule: { cron: ['45 1 * * *', '15 2 * * *'], zone: Australia/Lord_Howe, overlap: cancel, catch_up: 2 }
tasks:
  dawns1: { kind: host, deadline: 9h, on_error: { skip: true } }
",
];

/// After how many instances a task completes.
pub(super) const THRESHOLDS: [(&str, u64); 3] = [("offers", 3), ("seats", 3), ("slow2", 2)];

/// How often a task completes at most.
pub(super) const MOST: [(&str, u64); 11] = [
    ("enough", 1),
    ("decide", 1),
    ("choose", 1),
    ("arrive", 1),
    ("slow4", 1),
    ("hotel", 1),
    ("hotel2", 1),
    ("first_of", 1),
    ("rone", 1),
    ("partial", 1),
    ("rtwo", 1),
];

/// What the next version of a flow has other than the one above: each text, and what is there instead. In each, tasks
/// have other numbers than before.
pub(super) const CHANGES: [(&str, &[(&str, &str)]); 14] = [
    (
        "order",
        &[
            (
                "tasks:\n  begin:",
                "version: 2\nstart: begin\ntasks:\n  extra: { kind: host }\n  begin:",
            ),
            ("end: { kind: log,", "end: { kind: log, next: extra,"),
        ],
    ),
    (
        "sections",
        &[
            (
                "tasks:\n  begin:",
                "version: 2\nstart: begin\ntasks:\n  extra: { kind: host }\n  begin:",
            ),
            ("done: { join: or }", "done: { join: or, next: extra }"),
        ],
    ),
    (
        "choice",
        &[
            ("start: asked", "version: 2\nstart: asked"),
            (
                "tasks:\n  answer:",
                "tasks:\n  extra: { kind: host }\n  answer:",
            ),
            ("end: { kind: set,", "end: { kind: set, next: extra,"),
        ],
    ),
    (
        "milestone",
        &[
            ("start: begin", "version: 2\nstart: begin"),
            (
                "tasks:\n  begin:",
                "tasks:\n  extra: { kind: host }\n  begin:",
            ),
            ("ship: { kind: host }", "ship: { kind: host, next: extra }"),
        ],
    ),
    (
        "merge",
        &[
            (
                "tasks:\n  begin:",
                "version: 2\nstart: begin\ntasks:\n  extra: { kind: host }\n  begin:",
            ),
            ("keep: true }", "keep: true, next: extra }"),
        ],
    ),
    (
        "several",
        &[
            (
                "tasks:\n  offers:",
                "version: 2\nstart: offers\ntasks:\n  extra: { kind: host }\n  offers:",
            ),
            (
                "choose: { kind: host }",
                "choose: { kind: host, next: extra }",
            ),
        ],
    ),
    (
        "caller",
        &[
            (
                "tasks:\n  first:",
                "version: 2\nstart: first\ntasks:\n  extra: { kind: host }\n  first:",
            ),
            ("then: { kind: host }", "then: { kind: host, next: extra }"),
            (
                "    tasks:\n      deep:",
                "    start: deep\n    tasks:\n      deeper: { kind: host }\n      deep:",
            ),
            (
                "later: { kind: wait, for: 1h }",
                "later: { kind: wait, for: 1h, next: deeper }",
            ),
        ],
    ),
    (
        "trip",
        &[
            (
                "tasks:\n  flight:",
                "version: 2\nstart: flight\ntasks:\n  extra: { kind: host }\n  flight:",
            ),
            (
                "gone: { join: xor, kind: host }",
                "gone: { join: xor, kind: host, next: extra }",
            ),
        ],
    ),
    (
        "mails",
        &[(
            "tasks:\n  mail:\n",
            "version: 2\nstart: mail\ntasks:\n  extra: { kind: host }\n  mail:\n    next: extra\n",
        )],
    ),
    (
        "asked",
        &[
            (
                "tasks:\n  box:",
                "version: 2\nstart: box\ntasks:\n  extra: { kind: host }\n  box:",
            ),
            ("full: { kind: host }", "full: { kind: host, next: extra }"),
            ("{ type: integer }", "{ type: number, minimum: 0 }"),
        ],
    ),
    (
        "rounds",
        &[
            (
                "tasks:\n  rbegin:",
                "version: 2\nstart: rbegin\ntasks:\n  extra: { kind: host }\n  rbegin:",
            ),
            ("rtwo: { kind: host }", "rtwo: { kind: host, next: extra }"),
        ],
    ),
    (
        "bounded",
        &[
            (
                "deadline: 5h\ntasks:\n  bounded1:",
                "version: 2\nstart: bounded1\ntasks:\n  extra: { kind: host }\n  bounded1:",
            ),
            (
                "bounded3: { kind: host }",
                "bounded3: { kind: host, next: extra }",
            ),
        ],
    ),
    (
        "diverted",
        &[
            (
                "tasks:\n  divert1:",
                "version: 2\nstart: divert1\ntasks:\n  extra: { kind: host }\n  divert1:",
            ),
            (
                "instead: { kind: host, join: xor }",
                "instead: { kind: host, join: xor, next: extra }",
            ),
        ],
    ),
    (
        "queues",
        &[
            (
                "tasks:\n  queues1:",
                "version: 2\nstart: queues1\ntasks:\n  extra: { kind: host }\n  queues1:",
            ),
            (
                "queues2: { kind: set,",
                "queues2: { kind: set, next: extra,",
            ),
        ],
    ),
];

/// The schedules above: the flow, when its cases are due, and how many starts it makes up for.
pub(super) const SCHEDULES: [Plan; 6] = [
    Plan::new(
        "skips",
        Due::Every {
            hours: 1,
            minute: 20,
        },
        1,
    ),
    Plan::new(
        "queues",
        Due::Every {
            hours: 5,
            minute: 0,
        },
        3,
    ),
    Plan::new(
        "replaces",
        Due::Every {
            hours: 9,
            minute: 0,
        },
        2,
    ),
    Plan::new(
        "piles",
        Due::Every {
            hours: 11,
            minute: 0,
        },
        0,
    ),
    Plan::new(
        "wakes",
        Due::Daily(
            &BERLIN,
            &[(DAILY, 2, 30), (WORKDAYS, 9, 0), (SATURDAYS, 12, 0)],
        ),
        3,
    ),
    Plan::new(
        "dawns",
        Due::Daily(&LORD_HOWE, &[(DAILY, 1, 45), (DAILY, 2, 15)]),
        2,
    ),
];
