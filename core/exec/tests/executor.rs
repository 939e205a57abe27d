//! The executor, nurseries and lanes, with real threads.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use statewright_exec::{
    Executor, ExecutorOptions, Failure, LaneLimits, Lanes, Nursery, Rate, Rejected, Token,
};
use statewright_log::Env;
use statewright_log::sim::SimClock;

fn executor(threads: usize) -> Executor {
    Executor::new(ExecutorOptions::threads(threads)).unwrap()
}

#[test]
fn every_task_runs_once_wherever_it_was_added() {
    for threads in [0, 1, 2, 5] {
        let executor = executor(threads);
        let count = Arc::new(AtomicUsize::new(0));
        let adders: Vec<_> = (0..4)
            .map(|_| {
                let (executor, count) = (executor.clone(), count.clone());
                std::thread::spawn(move || {
                    for _ in 0..2_000 {
                        let (inner, count) = (executor.clone(), count.clone());
                        let task = move || {
                            count.fetch_add(1, Ordering::Relaxed);
                            let count = count.clone();
                            let add = move || {
                                count.fetch_add(1, Ordering::Relaxed);
                            };
                            // After the shutdown began, what tasks add is refused.
                            if inner.spawn(add).is_err() {
                                panic!("nobody shut it down yet");
                            }
                        };
                        executor.spawn(task).unwrap();
                    }
                })
            })
            .collect();
        adders.into_iter().for_each(|adder| adder.join().unwrap());
        while executor.stats().ended < 16_000 {
            if !executor.run_one() {
                std::thread::yield_now();
            }
        }
        executor.shut_down();
        assert_eq!(count.load(Ordering::Relaxed), 16_000);
        assert_eq!(executor.stats().panicked, 0);
        assert_eq!(executor.spawn(|| {}), Err(Rejected::Closed));
    }
}

#[test]
fn idle_workers_wake_for_single_tasks() {
    let executor = executor(3);
    for n in 0..5_000 {
        let (send, receive) = std::sync::mpsc::channel();
        executor.spawn(move || send.send(n).unwrap()).unwrap();
        // A lost wake-up would hang here.
        assert_eq!(receive.recv(), Ok(n));
    }
}

#[test]
fn shutting_down_runs_what_was_accepted() {
    for round in 0..200 {
        let executor = executor(1 + round % 3);
        let count = Arc::new(AtomicUsize::new(0));
        let other = {
            let (executor, count) = (executor.clone(), count.clone());
            std::thread::spawn(move || {
                let add = || {
                    let count = count.clone();
                    executor.spawn(move || {
                        count.fetch_add(1, Ordering::Relaxed);
                    })
                };
                (0..500).filter(|_| add().is_ok()).count()
            })
        };
        executor.shut_down();
        let accepted = other.join().unwrap();
        executor.shut_down();
        assert_eq!(count.load(Ordering::Relaxed), accepted);
    }
}

#[test]
fn a_panic_ends_its_task_alone_and_a_full_executor_says_so() {
    let executor = executor(1);
    executor.spawn(|| panic!("as planned")).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    executor.spawn(move || send.send(()).unwrap()).unwrap();
    receive.recv().unwrap();
    executor.shut_down();
    assert_eq!((executor.stats().ended, executor.stats().panicked), (2, 1));

    let mut options = ExecutorOptions::threads(0);
    options.max_waiting = 2;
    let executor = Executor::new(options).unwrap();
    executor.spawn(|| {}).unwrap();
    executor.spawn(|| {}).unwrap();
    assert_eq!(executor.spawn(|| {}), Err(Rejected::Full));
    assert!(executor.run_one());
    executor.spawn(|| {}).unwrap();
}

#[test]
fn the_last_handle_may_be_dropped_by_a_task() {
    let executor = executor(2);
    let (send, receive) = std::sync::mpsc::channel();
    let own = executor.clone();
    executor
        .spawn(move || {
            drop(own);
            send.send(()).unwrap();
        })
        .unwrap();
    drop(executor);
    receive.recv().unwrap();
}

#[test]
fn nurseries_nest_on_a_single_thread() {
    fn sum(executor: &Executor, token: &Token, from: u64, to: u64) -> u64 {
        if to - from < 4 {
            return (from..to).sum();
        }
        let middle = from + (to - from) / 2;
        let both = Arc::new(Mutex::new(0));
        let nursery = Nursery::<()>::new(executor, token);
        for (from, to) in [(from, middle), (middle, to)] {
            let (executor, both) = (executor.clone(), both.clone());
            let part = move |token: &Token| {
                let part = sum(&executor, token, from, to);
                *both.lock() += part;
                Ok(())
            };
            nursery.spawn(part).unwrap();
        }
        nursery.join().unwrap();
        *both.lock()
    }
    for threads in [0, 1, 2] {
        let executor = executor(threads);
        assert_eq!(sum(&executor, &Token::new(), 0, 200), 19_900);
    }
}

#[test]
fn the_first_failure_cancels_the_others_and_the_parent_is_left_alone() {
    let executor = executor(2);
    let parent = Token::new();
    let nursery = Nursery::new(&executor, &parent);
    nursery
        .spawn(|token| {
            while !token.is_cancelled() {
                std::thread::yield_now();
            }
            Err("cancelled")
        })
        .unwrap();
    nursery.spawn(|_| panic!("broken")).unwrap();
    assert_eq!(nursery.join(), Err(Failure::Panicked("broken".to_owned())));
    assert!(!parent.is_cancelled());

    let nursery = Nursery::<()>::new(&executor, &parent);
    let token = nursery.token().clone();
    drop(nursery);
    assert!(!token.is_cancelled(), "it had nothing to cancel");
}

#[test]
fn lanes_keep_the_limit_of_a_key_and_the_order_of_its_tasks() {
    let executor = executor(4);
    let one = LaneLimits {
        running: 1,
        rate: None,
    };
    let lanes = Lanes::new(&executor, &Env::real(), one);
    let seen: Arc<[Mutex<Vec<usize>>]> = (0..5).map(|_| Mutex::default()).collect();
    let busy: Arc<[AtomicUsize]> = (0..5).map(|_| AtomicUsize::new(0)).collect();
    for n in 0..1_000 {
        let (seen, busy) = (seen.clone(), busy.clone());
        let task = move || {
            let key = n % 5;
            assert_eq!(busy[key].fetch_add(1, Ordering::SeqCst), 0);
            seen[key].lock().push(n);
            busy[key].fetch_sub(1, Ordering::SeqCst);
        };
        lanes.submit(&format!("key-{}", n % 5), 0, task).unwrap();
    }
    lanes.shut_down();
    assert_eq!(executor.stats().panicked, 0);
    for (key, seen) in seen.iter().enumerate() {
        let want: Vec<usize> = (0..1_000).filter(|n| n % 5 == key).collect();
        assert_eq!(*seen.lock(), want);
    }
    assert_eq!(lanes.submit("key-1", 0, || {}), Err(Rejected::Closed));
}

#[test]
fn a_rate_is_waited_for_and_a_panic_frees_its_place() {
    let executor = executor(1);
    let limits = LaneLimits {
        running: 1,
        rate: Some(Rate {
            tasks: 1,
            per: Duration::from_millis(2),
            burst: 1,
        }),
    };
    let lanes = Lanes::new(&executor, &Env::real(), limits);
    let count = Arc::new(AtomicUsize::new(0));
    for n in 0..5 {
        let count = count.clone();
        let task = move || {
            count.fetch_add(1, Ordering::SeqCst);
            assert!(n != 2, "as planned");
        };
        lanes.submit("key", 0, task).unwrap();
    }
    lanes.shut_down();
    assert_eq!(count.load(Ordering::SeqCst), 5);
    assert_eq!(executor.stats().panicked, 1);
}

#[test]
fn tasks_of_a_closed_executor_are_dropped_without_end() {
    let executor = executor(0);
    let lanes = Lanes::new(&executor, &Env::real(), LaneLimits::default());
    let held = Arc::new(());
    for _ in 0..10_000 {
        let held = held.clone();
        lanes.submit("key", 0, move || drop(held)).unwrap();
    }
    executor.shut_down();
    lanes.shut_down();
    assert_eq!((lanes.waiting(), Arc::strong_count(&held)), (0, 1));
}

#[test]
fn nurseries_side_by_side_take_no_deeper_stack_than_one() {
    for threads in [0, 1, 2] {
        let executor = executor(threads);
        let count = Arc::new(AtomicUsize::new(0));
        let outer = Nursery::<()>::new(&executor, &Token::new());
        for _ in 0..50_000 {
            let (inner, count) = (executor.clone(), count.clone());
            let task = move |token: &Token| {
                let nursery = Nursery::<()>::new(&inner, token);
                let count = count.clone();
                let child = move |_: &Token| {
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                };
                nursery.spawn(child).unwrap();
                nursery.join().map_err(|_| ())
            };
            outer.spawn(task).unwrap();
        }
        outer.join().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 50_000);
    }
}

#[test]
fn lanes_lose_nothing_before_a_full_executor() {
    let mut options = ExecutorOptions::threads(1);
    options.max_waiting = 1;
    let executor = Executor::new(options).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (busy, is_busy) = std::sync::mpsc::channel();
    let block = move || {
        busy.send(()).unwrap();
        wait.recv().unwrap();
    };
    executor.spawn(block).unwrap();
    is_busy.recv().unwrap();
    executor.spawn(|| {}).unwrap();
    assert_eq!(executor.spawn(|| {}), Err(Rejected::Full));
    let lanes = Lanes::new(&executor, &Env::real(), LaneLimits::default());
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let count = count.clone();
        let task = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        lanes.submit("key", 0, task).unwrap();
    }
    go.send(()).unwrap();
    lanes.shut_down();
    assert_eq!(count.load(Ordering::SeqCst), 10);
}

/// A task that adds itself until somebody else's has run.
fn again(executor: Executor, stop: Arc<AtomicUsize>) {
    if stop.load(Ordering::SeqCst) == 0 {
        let (next, seen) = (executor.clone(), stop);
        executor.spawn(move || again(next, seen)).unwrap();
    }
}

#[test]
fn tasks_that_add_themselves_for_ever_leave_turns_for_those_from_outside() {
    let executor = executor(2);
    let stop = Arc::new(AtomicUsize::new(0));
    for _ in 0..4 {
        let (next, seen) = (executor.clone(), stop.clone());
        executor.spawn(move || again(next, seen)).unwrap();
    }
    let (ran, run) = std::sync::mpsc::channel();
    std::thread::yield_now();
    for _ in 0..3 {
        let ran = ran.clone();
        executor.spawn(move || ran.send(()).unwrap()).unwrap();
    }
    let turns: Vec<_> = (0..3)
        .map(|_| run.recv_timeout(Duration::from_secs(10)))
        .collect();
    stop.store(1, Ordering::SeqCst);
    assert!(turns.iter().all(Result::is_ok), "{turns:?}");
}

/// Rates count the time that passes, not what the clock says.
#[test]
fn a_clock_that_is_set_back_holds_no_key_back() {
    let clock = SimClock::new();
    let env = Env {
        clock: Arc::new(clock.clone()),
        ..Env::real()
    };
    let executor = executor(0);
    let rate = Some(Rate {
        tasks: 1,
        per: Duration::from_secs(1),
        burst: 1,
    });
    let lanes = Lanes::new(&executor, &env, LaneLimits { running: 0, rate });
    for _ in 0..2 {
        lanes.submit("key", 0, || {}).unwrap();
    }
    assert!(executor.run_one() && !executor.run_one());
    clock.jump(-3_600_000_000);
    clock.advance(Duration::from_secs(1));
    // What comes looks whose turn it is.
    lanes.submit("other", 0, || {}).unwrap();
    assert!(executor.run_one() && executor.run_one());
    assert_eq!(lanes.waiting(), 0);
}

/// Where there are no threads, who shuts down runs what others hand out at that moment.
#[test]
fn lanes_without_threads_are_shut_down_beside_who_submits() {
    for _ in 0..2_000 {
        let executor = executor(0);
        let lanes = Lanes::new(&executor, &Env::real(), LaneLimits::default());
        std::thread::scope(|scope| {
            scope.spawn(|| while lanes.submit("key", 0, || {}).is_ok() {});
            lanes.shut_down();
        });
        assert_eq!(lanes.waiting(), 0);
    }
}
