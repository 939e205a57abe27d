//! The engine with its threads: cases run by themselves, waits end, and everything goes on after reopening.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use statewright::flow::{CaseFilter, EventKind, Failure, HistoryEvent, Status, WorkFilter};
use statewright::{
    CheckpointOptions, Durability, Engine, Env, Error, Options, Poll, Reader, Space, Timestamp,
    Value, value,
};
use statewright_log::sim::SimClock;
use statewright_log::{Clock, Gate};

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

fn with(spec: &str) -> Engine {
    let engine = Engine::in_memory(Options::default()).unwrap();
    engine.deploy(spec, None).unwrap();
    engine
}

const HOST: &str =
    "name: h\nversion: 1\ntasks:\n  t: { kind: host, topic: work, input: .input }\noutput: .t\n";

#[test]
fn programs_run_in_parallel_with_input_output_and_environment() {
    let engine = with(
        r#"
name: p
version: 1
tasks:
  begin: { kind: set, set: { .words: '["b", "a", "c"]' }, split: and, next: [sort, shout] }
  sort: { kind: process, run: [sort], input: .words, stdin: lines, stdout: lines, next: end }
  shout:
    kind: process
    run: [sh, -c, 'printf "%s %s %s " "$STATEWRIGHT_TASK" "$STATEWRIGHT_ATTEMPT" "$1"; pwd', sh]
    args: '[.words[0]]'
    cwd: '"/"'
    stdout: text
    next: end
  end: { kind: set, join: and, set: { .ok: 'true' } }
output: '[.sort, .shout]'
"#,
    );
    let case = engine.start("p", value!({}), None).unwrap();
    let done = engine.wait(&case, MINUTE).unwrap();
    assert_eq!(
        done.result,
        Some(value!([["a", "b", "c"], "shout 1 b /\n"])),
        "{:?}",
        done.error
    );
}

#[test]
fn a_program_that_fails_is_retried_and_its_stderr_is_in_the_error() {
    let engine = with(
        "name: f\nversion: 1\ntasks:\n  t: { kind: process, run: [sh, -c, 'echo sorry >&2; exit 3'], \
         retry: { attempts: 2, delay: 1ms } }\n",
    );
    let case = engine.start("f", value!({}), None).unwrap();
    let done = engine.wait(&case, MINUTE).unwrap();
    assert_eq!(done.status, Status::Failed);
    let error = done.error.unwrap();
    let message = error.get("message").unwrap();
    assert!(
        message.as_str().unwrap().contains("exit status: 3: sorry"),
        "{message}"
    );
    let started = engine
        .history(&case, 0)
        .unwrap()
        .iter()
        .filter(|e| e.kind == EventKind::Started)
        .count();
    assert_eq!(started, 2);
}

#[test]
fn a_program_that_is_missing_hangs_or_talks_nonsense_fails_its_attempt() {
    for (task, code) in [
        ("run: [/no/such/program]", "start"),
        ("run: [sleep, '100'], timeout: 50ms", "timeout"),
        ("run: [sleep, '100'], deadline: 50ms", "deadline"),
        ("run: [echo, '{oops']", "output"),
        ("run: [cat], input: '[1]', stdin: lines", "expression"),
    ] {
        let engine = with(&format!(
            "name: x\nversion: 1\ntasks:\n  t: {{ kind: process, {task} }}\n"
        ));
        let case = engine.start("x", value!({}), None).unwrap();
        let done = engine.wait(&case, MINUTE).unwrap();
        assert_eq!(
            done.error.unwrap().get("code"),
            Some(value!(code)),
            "{task}"
        );
    }
}

#[test]
fn a_program_whose_case_failed_is_ended() {
    let engine = with(
        "name: k\nversion: 1\ntasks:\n  begin: { kind: set, set: { .x: '1' }, split: and, next: [long, bad] }\n  \
         long: { kind: process, run: [sleep, '1000'] }\n  bad: { kind: host, topic: work }\n",
    );
    let case = engine.start("k", value!({}), None).unwrap();
    let item = engine.poll(Poll::topic("work"), MINUTE).unwrap().remove(0);
    engine
        .fail(&item.token, &Failure::new("no", "never").for_good())
        .unwrap();
    assert_eq!(engine.wait(&case, MINUTE).unwrap().status, Status::Failed);
    // The worker is free again at once: four more programs have room in four workers.
    engine
        .deploy(
            "name: q\nversion: 1\ntasks:\n  t: { kind: process, run: ['true'], stdout: none }\n",
            None,
        )
        .unwrap();
    let cases: Vec<String> = (0..8)
        .map(|_| engine.start("q", value!({}), None).unwrap())
        .collect();
    for case in cases {
        assert_eq!(
            engine.wait(&case, MINUTE).unwrap().status,
            Status::Completed
        );
    }
}

fn one_worker(spec: &str) -> Engine {
    let engine = Engine::in_memory(Options::default().workers(1)).unwrap();
    engine.deploy(spec, None).unwrap();
    engine
}

/// Whether the only worker is free for another program.
fn worker_is_free(engine: &Engine) -> bool {
    let spec = "name: q\ntasks:\n  t: { kind: process, run: ['true'], stdout: none }\n";
    engine.deploy(spec, None).unwrap();
    let case = engine.start("q", value!({}), None).unwrap();
    engine.wait(&case, Some(Duration::from_secs(30))).is_ok()
}

#[test]
fn a_program_that_undoes_is_ended_when_its_case_is_ended_by_force() {
    let engine = one_worker(
        "name: u\ntasks:\n  a: { kind: process, run: ['true'], stdout: none, compensate: undo, next: b }\n  \
         b: { kind: host, topic: work }\n  undo: { kind: process, run: [sleep, '1000'] }\n",
    );
    let case = engine.start("u", value!({}), None).unwrap();
    engine.poll(Poll::topic("work"), MINUTE).unwrap();
    engine.cancel_case(&case, "").unwrap();
    while !engine
        .case(&case)
        .unwrap()
        .items
        .iter()
        .any(|i| i.state == "leased")
    {
        std::thread::yield_now();
    }
    engine.terminate_case(&case, "").unwrap();
    assert_eq!(
        engine.wait(&case, MINUTE).unwrap().status,
        Status::Terminated
    );
    assert!(worker_is_free(&engine));
}

/// What it started in a session of its own holds its pipes open.
#[test]
fn what_a_program_leaves_in_another_session_keeps_no_worker_and_no_later_attempt() {
    let engine = one_worker(
        "name: s\ntasks:\n  t:\n    kind: process\n    timeout: 4s\n    retry: { attempts: 2, delay: 1ms }\n    stdout: text\n    \
         run: [sh, -c, 'if [ $STATEWRIGHT_ATTEMPT = 1 ]; then setsid sleep 90 & sleep 1000; fi; \
         setsid sleep 90 & echo ok']\noutput: .t\n",
    );
    let case = engine.start("s", value!({}), None).unwrap();
    let done = engine.wait(&case, MINUTE).unwrap();
    assert_eq!(done.result, Some(value!("ok\n")), "{:?}", done.error);
    assert!(worker_is_free(&engine));
}

/// With two workers the second attempt begins while the first is not quite gone.
#[test]
fn an_attempt_that_follows_one_that_timed_out_is_not_ended_with_it() {
    let engine = with(
        "name: s\ntasks:\n  t:\n    kind: process\n    timeout: 1s\n    retry: { attempts: 2 }\n    stdout: text\n    \
         run: [sh, -c, 'if [ $STATEWRIGHT_ATTEMPT = 1 ]; then setsid sleep 4 & sleep 1000; fi; echo ok']\n\
         output: .t\n",
    );
    let cases: Vec<String> = (0..2)
        .map(|_| engine.start("s", value!({}), None).unwrap())
        .collect();
    for case in cases {
        let done = engine.wait(&case, MINUTE).unwrap();
        assert_eq!(done.result, Some(value!("ok\n")), "{:?}", done.error);
    }
}

#[test]
fn hosts_poll_heartbeat_complete_and_fail() {
    let engine = with(HOST);
    assert!(
        engine
            .poll(Poll::topic("work"), Some(Duration::from_millis(1)))
            .unwrap()
            .is_empty()
    );
    let waiting = engine.clone();
    let poller = std::thread::spawn(move || {
        waiting
            .poll(Poll::topic("other").and_topic("work"), MINUTE)
            .unwrap()
    });
    let case = engine.start("h", value!({"n": 1}), None).unwrap();
    let item = poller.join().unwrap().remove(0);
    assert_eq!(
        (item.case.as_str(), &item.input),
        (case.as_str(), &value!({"n": 1}))
    );
    let until = engine
        .heartbeat(&item.token, Duration::from_secs(300))
        .unwrap();
    assert!(until > item.lease_until.unwrap());
    engine.complete(&item.token, value!("ok")).unwrap();
    assert_eq!(
        engine.wait(&case, MINUTE).unwrap().result,
        Some(value!("ok"))
    );
    assert_eq!(
        engine
            .complete(&item.token, value!("again"))
            .unwrap_err()
            .code(),
        504
    );
}

#[test]
fn an_expired_lease_goes_to_a_poll_that_waits() {
    let engine = with(HOST);
    let case = engine.start("h", value!({}), None).unwrap();
    let short = Poll::topic("work").lease(Duration::from_millis(20));
    let lost = engine.poll(short, MINUTE).unwrap().remove(0);
    let again = engine.poll(Poll::topic("work"), MINUTE).unwrap().remove(0);
    assert_eq!(
        (again.attempt, &again.idempotency_key),
        (2, &lost.idempotency_key)
    );
    engine.complete(&again.token, value!(2)).unwrap();
    assert_eq!(engine.wait(&case, MINUTE).unwrap().result, Some(value!(2)));
}

#[test]
fn waits_end_once_with_a_result_a_timeout_a_cancel_or_a_close() {
    let engine = with(HOST);
    let case = engine.start("h", value!({}), None).unwrap();
    let short = Some(Duration::from_millis(5));
    assert!(matches!(engine.wait(&case, short), Err(Error::TimedOut(_))));
    assert_eq!(engine.wait("nobody", short).unwrap_err().code(), 502);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = |expected: i32| {
        let calls = calls.clone();
        Box::new(move |result: Result<_, Error>| {
            assert_eq!(result.map(drop).unwrap_err().code(), expected);
            calls.fetch_add(1, Ordering::SeqCst);
        })
    };
    let cancelled = engine.on_closed(&case, count(111)).unwrap();
    assert!(engine.cancel(cancelled));
    assert!(!engine.cancel(cancelled));
    engine.on_closed(&case, count(600)).unwrap();
    engine
        .on_work(
            Poll::topic("none"),
            Box::new(|result| assert!(matches!(result, Err(Error::Closed)))),
        )
        .unwrap();
    engine.close().unwrap();
    engine.close().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(matches!(
        engine.start("h", value!({}), None),
        Err(Error::Closed)
    ));
    assert!(matches!(engine.wait(&case, None), Err(Error::Closed)));
}

#[test]
fn many_cases_are_served_by_many_threads_and_none_is_lost_or_doubled() {
    let engine = with(HOST);
    let served = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let items = engine
                        .poll(Poll::topic("work").max(3), Some(Duration::from_millis(500)))
                        .unwrap();
                    if items.is_empty() {
                        return;
                    }
                    for item in items {
                        let n = item.input.get("n").unwrap();
                        engine.complete(&item.token, n).unwrap();
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let cases: Vec<String> = (0..100)
            .map(|n| engine.start("h", value!({ "n": n }), None).unwrap())
            .collect();
        for (n, case) in cases.iter().enumerate() {
            assert_eq!(engine.wait(case, MINUTE).unwrap().result, Some(value!(n)));
        }
    });
    assert_eq!(served.load(Ordering::SeqCst), 100);
    assert_eq!(engine.cases(&CaseFilter::default()).unwrap().len(), 100);
}

#[test]
fn a_reopened_store_goes_on_with_its_cases() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let dir = tempfile::tempdir().unwrap();
        let open = || Engine::open(dir.path(), Options::default().durability(durability)).unwrap();
        let engine = open();
        engine
            .deploy(
                "name: r\nversion: 1\ntasks:\n  a: { kind: host, topic: work, next: b }\n  \
                 b: { kind: process, run: [sleep, '1000'], retry: { attempts: 1 }, timeout: 3600s, next: c }\n  \
                 c: { kind: wait, for: 1h }\n",
                None,
            )
            .unwrap();
        let case = engine.start("r", value!({}), None).unwrap();
        let item = engine.poll(Poll::topic("work"), MINUTE).unwrap().remove(0);
        engine.complete(&item.token, value!(1)).unwrap();
        let locked = Engine::open(dir.path(), Options::default())
            .map(drop)
            .unwrap_err();
        assert_eq!(locked.code(), 301, "{locked}");
        let starts = |engine: &Engine| {
            let of_b =
                |e: &&HistoryEvent| e.kind == EventKind::Started && e.task.as_deref() == Some("b");
            engine
                .history(&case, 0)
                .unwrap()
                .iter()
                .filter(of_b)
                .count()
        };
        while starts(&engine) < 1 {}
        engine.close().unwrap();
        let engine = open();
        assert_eq!(engine.case(&case).unwrap().data.get("a"), Some(value!(1)));
        // The program runs again, in a new attempt that no retry policy counts.
        while starts(&engine) < 2 {}
        let waiting = engine.explain(&case).unwrap();
        assert_eq!(
            (waiting.len(), waiting[0].what.as_str()),
            (1, "the program sleep")
        );
        assert_eq!(engine.case(&case).unwrap().status, Status::Running);
    }
}

#[test]
fn an_engine_that_does_not_drive_only_looks() {
    let engine = Engine::in_memory(Options::default().drive(false)).unwrap();
    engine.deploy(HOST, None).unwrap();
    let case = engine.start("h", value!({}), None).unwrap();
    assert_eq!(engine.case(&case).unwrap().items[0].state, "offered");
    assert!(matches!(
        engine.poll(Poll::topic("work"), MINUTE),
        Err(Error::Config { .. })
    ));
}

#[test]
fn options_out_of_range_are_refused() {
    let code = |options: Options| Engine::in_memory(options).map(drop).unwrap_err().code();
    assert_eq!(code(Options::default().workers(0)), 601);
    assert_eq!(code(Options::default().workers(257)), 601);
    let dir = tempfile::tempdir().unwrap();
    let memory = Options::default().durability(Durability::Memory);
    assert_eq!(
        Engine::open(dir.path().join("x"), memory)
            .map(drop)
            .unwrap_err()
            .code(),
        601
    );
    assert!(!dir.path().join("x").exists(), "nothing was changed");
}

#[test]
fn buffered_commits_are_synced_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default()
        .durability(Durability::Buffered)
        .sync_interval(Duration::from_millis(1));
    let engine = Engine::open(dir.path(), options).unwrap();
    for n in 0..3 {
        let version = engine
            .store()
            .kv_put(&Space::default(), b"k", value!(n))
            .unwrap();
        while engine.store().stats().durable_version < version {}
    }
    assert_eq!(
        engine
            .store()
            .snapshot()
            .kv_get(&Space::default(), b"k")
            .unwrap(),
        Some(value!(2))
    );
}

/// Counts how often a thread that waits wakes up.
struct CountingClock {
    inner: Arc<dyn Clock>,
    wakes: AtomicUsize,
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    fn wait(&self, gate: &Gate, seen: u64, deadline: Option<Timestamp>) -> u64 {
        let epoch = self.inner.wait(gate, seen, deadline);
        self.wakes.fetch_add(1, Ordering::SeqCst);
        epoch
    }
}

#[test]
fn an_idle_engine_wakes_for_nothing() {
    let real = Env::real();
    let clock = Arc::new(CountingClock {
        inner: real.clock.clone(),
        wakes: AtomicUsize::new(0),
    });
    let env = Env {
        clock: clock.clone(),
        ..real
    };
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Buffered).env(env);
    let engine = Engine::open(dir.path(), options).unwrap();
    engine.deploy(HOST, None).unwrap();
    engine
        .deploy(
            "name: w\nversion: 1\ntasks:\n  t: { kind: wait, for: 1h }\n",
            None,
        )
        .unwrap();
    engine.start("h", value!({}), None).unwrap();
    engine.start("w", value!({}), None).unwrap();
    let poll = engine
        .on_work(Poll::topic("other"), Box::new(drop))
        .unwrap();
    // Let what was just started come to rest, then look at two moments that are far apart for a machine.
    let mut before = usize::MAX;
    while before != clock.wakes.load(Ordering::SeqCst) {
        before = clock.wakes.load(Ordering::SeqCst);
        real.clock.wait(
            &Gate::new(),
            0,
            Some(real.clock.now().saturating_add(Duration::from_millis(300))),
        );
    }
    real.clock.wait(
        &Gate::new(),
        0,
        Some(real.clock.now().saturating_add(Duration::from_millis(500))),
    );
    assert_eq!(clock.wakes.load(Ordering::SeqCst), before);
    engine.cancel(poll);
}

#[test]
fn an_engine_can_be_closed_at_any_moment_of_its_start() {
    // A worker that missed the notification would wait for ever.
    for pause in 0..1000 {
        let engine = Engine::in_memory(Options::default()).unwrap();
        for _ in 0..pause % 50 {}
        engine.close().unwrap();
    }
}

#[test]
fn recovery_leaves_what_this_process_has_claimed_alone() {
    let tasks: String = (0..8)
        .map(|n| format!("  t{n}: {{ kind: process, run: ['true'], stdout: none }}\n"))
        .collect();
    let names: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let spec = format!(
        "name: wide\nversion: 1\ntasks:\n  begin: {{ kind: set, set: {{ .x: '1' }}, split: and, next: [{}] }}\n{tasks}",
        names.join(", ")
    );
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let options = || Options::default().durability(Durability::Buffered);
        let engine = Engine::open(dir.path(), options()).unwrap();
        engine.deploy(&spec, None).unwrap();
        // Closed as early as can be: some programs may have been started, most are only offered.
        let case = engine.start("wide", value!({}), None).unwrap();
        engine.close().unwrap();
        let before = engine.history(&case, 0).unwrap().len();
        let engine = Engine::open(dir.path(), options()).unwrap();
        assert_eq!(
            engine.wait(&case, MINUTE).unwrap().status,
            Status::Completed
        );
        let mut starts = std::collections::BTreeMap::new();
        for event in engine.history(&case, before as u64).unwrap() {
            if event.kind == EventKind::Started {
                *starts.entry(event.item).or_insert(0) += 1;
            }
        }
        assert!(starts.values().all(|n| *n == 1), "{starts:?}");
    }
}

/// What is accepted ends once, and what is refused never ends; also while the engine closes.
#[test]
fn a_wait_that_is_refused_is_not_called_too() {
    for _ in 0..200 {
        let engine = with(HOST);
        let case = engine.start("h", value!({}), None).unwrap();
        let (accepted, called) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        std::thread::scope(|scope| {
            for polls in [true, true, false] {
                let (engine, case, accepted, called) = (&engine, &case, &accepted, &called);
                scope.spawn(move || {
                    loop {
                        let called = Arc::clone(called);
                        let count = move || {
                            called.fetch_add(1, Ordering::SeqCst);
                        };
                        let wait = if polls {
                            engine.on_work(Poll::topic("work"), Box::new(move |_| count()))
                        } else {
                            engine.on_closed(case, Box::new(move |_| count()))
                        };
                        if wait.is_err() {
                            break;
                        }
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            engine.close().unwrap();
        });
        assert_eq!(
            accepted.load(Ordering::SeqCst),
            called.load(Ordering::SeqCst)
        );
    }
}

#[test]
fn a_result_too_large_for_a_commit_fails_its_task_and_not_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default().durability(Durability::Buffered);
    let engine = Engine::open(dir.path(), options).unwrap();
    let program = "yes | head -c 67108864";
    let spec = format!(
        "name: big\nversion: 1\ntasks:\n  t: {{ kind: process, run: [sh, -c, \"{program}\"], stdout: text }}\n"
    );
    engine.deploy(&spec, None).unwrap();
    let case = engine.start("big", value!({}), None).unwrap();
    let error = engine.wait(&case, MINUTE).unwrap().error.unwrap();
    assert_eq!(error.get("code"), Some(value!("output")), "{error}");
    let again = engine.start("big", value!({}), None).unwrap();
    assert_eq!(engine.wait(&again, MINUTE).unwrap().status, Status::Failed);
}

#[test]
fn checkpoints_are_made_in_the_background_when_the_log_has_grown() {
    let dir = tempfile::tempdir().unwrap();
    let mut every = CheckpointOptions::default();
    every.every_bytes = 20_000;
    let options = Options::default()
        .durability(Durability::Buffered)
        .checkpoints(every);
    let engine = Engine::open(dir.path().join("store"), options.clone()).unwrap();
    let space = Space::default();
    let newest = |engine: &Engine| engine.store().stats().checkpoint.version;
    let mut n = 0_u64;
    while newest(&engine) == 0 {
        n += 1;
        assert!(n < 10_000_000, "no checkpoint was made");
        engine
            .store()
            .kv_put(&space, &n.to_be_bytes(), value!(n))
            .unwrap();
    }
    assert!(n >= 100, "not before the log had grown: {n}");
    engine.close().unwrap();
    let engine = Engine::open(dir.path().join("store"), options).unwrap();
    assert!(newest(&engine) > 0);
    assert_eq!(
        engine.store().kv_get(&space, &n.to_be_bytes()).unwrap(),
        Some(value!(n))
    );
}

#[test]
fn a_case_is_controlled_from_outside_and_what_it_called_follows() {
    let engine = with(
        "name: c\ntasks:\n  begin: { split: and, next: [inner, go] }\n  inner: { kind: flow, flow: long }\n  \
         go: { kind: signal, next: stop }\n  stop: { cancels: [inner] }\n\
         flows:\n  long: { tasks: { sleep: { kind: process, run: [sleep, '1000'] } } }\n",
    );
    let case = engine.start("c", Value::NULL, None).unwrap();
    let called = loop {
        let cases = engine.cases(&CaseFilter::default()).unwrap();
        let called = cases.into_iter().find(|c| c.parent.is_some());
        if let Some(called) = called.filter(|c| c.items.iter().any(|i| i.state == "leased")) {
            break called.id;
        }
        std::thread::yield_now();
    };
    engine.suspend_case(&case).unwrap();
    assert_eq!(engine.case(&called).unwrap().status, Status::Suspended);
    assert!(engine.suspend_case(&case).is_err());
    engine.resume_case(&case).unwrap();
    engine.signal(&case, "go", &Value::NULL).unwrap();
    assert_eq!(
        engine.wait(&case, MINUTE).unwrap().status,
        Status::Completed
    );
    assert_eq!(
        engine.wait(&called, MINUTE).unwrap().status,
        Status::Cancelled
    );
    let other = engine.start("c", Value::NULL, None).unwrap();
    engine.cancel_case(&other, "not wanted").unwrap();
    assert_eq!(
        engine.wait(&other, MINUTE).unwrap().status,
        Status::Cancelled
    );
    // The programs are ended: closing does not wait for a thousand seconds.
    engine.close().unwrap();
}

#[test]
fn keys_that_expired_are_given_back_in_the_background() {
    for interval in [Some(Duration::from_secs(1)), None] {
        let clock = SimClock::new();
        let env = Env {
            clock: Arc::new(clock.clone()),
            ..Env::real()
        };
        let options = Options::default().env(env).purge_interval(interval);
        let engine = Engine::in_memory(options.drive(false)).unwrap();
        let (store, ttl) = (engine.store(), Duration::from_secs(60));
        let spaces = ["t/a", "t/a/b", "t/c"].map(|name| Space::parse(name).unwrap());
        store.kv_put(&spaces[0], b"stays", value!(1)).unwrap();
        for n in 0..1000_u32 {
            for space in &spaces {
                let put = store.kv_put_for(space, &n.to_be_bytes(), value!(n), ttl);
                put.unwrap();
            }
        }
        // A key and a note of when it expires, each.
        assert_eq!(store.stats().entries, 6001);
        // More than one commit takes is given back as soon as it is due.
        clock.advance(Duration::from_secs(61));
        for _ in 0..1000 {
            if store.stats().entries == 1 {
                break;
            }
            let none = Gate::new();
            let soon = Env::real()
                .clock
                .now()
                .saturating_add(Duration::from_millis(5));
            Env::real().clock.wait(&none, none.epoch(), Some(soon));
            if interval.is_none() {
                break;
            }
        }
        let entries = store.stats().entries;
        let all = if interval.is_some() { 1 } else { 6001 };
        assert_eq!(entries, all);
        assert_eq!(store.kv_get(&spaces[1], &[0; 4]).unwrap(), None);
        engine.close().unwrap();
    }
}

#[test]
fn people_take_hand_over_give_back_and_skip_work() {
    let spec = "
name: desk
tasks:
  approve: { kind: host, topic: office, into: .approved, next: sign }
  sign: { kind: host, topic: office }
";
    let engine = with(spec);
    let case = engine.start("desk", Value::NULL, None).unwrap();
    let office = WorkFilter {
        topic: Some("office".into()),
        ..WorkFilter::default()
    };
    let offered = engine.work(&office).unwrap().remove(0);
    let mine = engine.take(&case, offered.item, "ann", None).unwrap();
    let theirs = engine.delegate(&mine.token, "bob", None).unwrap();
    assert!(engine.complete(&mine.token, value!(false)).is_err());
    engine.give_back(&theirs.token).unwrap();
    // It is offered again, to programs too.
    let polled = engine.poll(Poll::topic("office"), MINUTE).unwrap();
    engine.complete(&polled[0].token, value!(true)).unwrap();
    let next = engine.work(&office).unwrap().remove(0);
    assert_eq!(next.task, "sign");
    engine.skip(&case, next.item, "signed on paper").unwrap();
    let ended = engine.wait(&case, None).unwrap();
    assert_eq!(ended.data.get("approved"), Some(value!(true)));
    engine.close().unwrap();
}

#[test]
fn a_deployed_schedule_begins_cases_while_the_engine_drives() {
    let engine = with(
        "name: s\nschedule: { every: 10ms, overlap: queue }\ntasks:\n  w: { kind: host, topic: work }\n",
    );
    for _ in 0..3 {
        let items = engine.poll(Poll::topic("work"), MINUTE).unwrap();
        engine.complete(&items[0].token, value!(1)).unwrap();
    }
    engine.pause_schedule("s").unwrap();
    let [schedule] = engine.schedules().unwrap().try_into().unwrap();
    assert!(schedule.paused && schedule.started >= 3);
    assert!(engine.upcoming("s", 3).unwrap().is_empty());
    engine.resume_schedule("s").unwrap();
    assert_eq!(engine.upcoming("s", 3).unwrap().len(), 3);
    let items = engine.poll(Poll::topic("work"), MINUTE).unwrap();
    assert!(items[0].case.starts_with("s@"), "{}", items[0].case);
}
