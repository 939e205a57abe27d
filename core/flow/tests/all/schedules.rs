//! Schedules: which cases begin when, exactly once, whatever crashes, sleeps or sets the clock.

use std::time::Duration;

use crate::common::World;
use statewright_flow::{CaseFilter, Error, Flows, Queue, ScheduleInfo, Status};
use statewright_log::Timestamp;
use statewright_log::sim::{Image, SimClock, SimIo};
use statewright_value::Value;

/// A store that is driven from time to time; if asked to, the power fails after every commit.
struct Player {
    io: SimIo,
    clock: SimClock,
    world: World,
    crashes: Option<u64>,
}

impl Player {
    fn new(spec: &str, start: &str, crash: bool) -> Player {
        let (io, clock) = (SimIo::new(), SimClock::new());
        let world = World::on_disk(&io, &clock, 1).unwrap();
        let mut player = Player {
            io,
            clock,
            world,
            crashes: crash.then_some(0),
        };
        player.sleep_until(start);
        let deployed = player.world.flows.deploy(spec, None);
        deployed.unwrap_or_else(|e| panic!("{e}\n{spec}"));
        player.event();
        player
    }

    fn flows(&self) -> &Flows {
        &self.world.flows
    }

    fn event(&mut self) {
        if let Some(crashes) = &mut self.crashes {
            *crashes += 1;
            let image = Image::series(*crashes, 1).next().unwrap();
            self.io = self.io.crash(&image);
            self.world = World::on_disk(&self.io, &self.clock, *crashes).unwrap();
        }
    }

    fn now(&self) -> Timestamp {
        self.flows().store().env().clock.now()
    }

    /// Nobody drives the store until then.
    fn sleep_until(&mut self, at: &str) {
        let to = at_micros(at) - self.now().as_micros();
        self.clock
            .advance(Duration::from_micros(u64::try_from(to).unwrap()));
    }

    fn set_clock(&mut self, at: &str) {
        self.clock.jump(at_micros(at) - self.now().as_micros());
    }

    /// Does all that is due until then, as an engine would.
    fn drive_until(&mut self, at: &str) {
        loop {
            while !self.flows().fire_due().unwrap().is_empty() {
                self.event();
            }
            let due = self.flows().next_due().unwrap();
            let Some(due) = due.filter(|due| due.as_micros() <= at_micros(at)) else {
                break;
            };
            let pause = due.saturating_since(self.now());
            self.clock.advance(pause);
        }
        if at_micros(at) > self.now().as_micros() {
            self.sleep_until(at);
        }
    }

    /// Completes the work of the oldest open case.
    fn complete(&mut self) {
        let queue = Queue::Topics(vec!["w".to_owned()]);
        let claims = self
            .flows()
            .claim(&queue, "x", Some(Duration::from_secs(9)), 1);
        let item = claims.unwrap().into_iter().next().unwrap().item.unwrap();
        self.flows().complete(&item.token, &Value::NULL).unwrap();
        self.event();
    }

    /// The cases there are: when each was due, with its status if it is not running.
    fn cases(&self) -> Vec<String> {
        let cases = self.flows().cases(&CaseFilter::default()).unwrap();
        let show = |case: &statewright_flow::CaseInfo| {
            let due = case.id.split_once('@').unwrap().1;
            assert_eq!(
                case.data
                    .get("scheduled")
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .replace(['-', ':'], ""),
                due
            );
            let due = due.get(6..13).unwrap();
            match case.status {
                Status::Running => due.to_owned(),
                status => format!("{due} {status}"),
            }
        };
        cases.iter().map(show).collect()
    }

    fn info(&self) -> ScheduleInfo {
        self.flows().schedules().unwrap().remove(0)
    }
}

fn at_micros(at: &str) -> i64 {
    let at = format!("2026-{at}Z");
    at.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn spec(schedule: &str) -> String {
    format!("name: f\nschedule: {{ {schedule} }}\ntasks:\n  w: {{ kind: host }}\n")
}

fn both(schedule: &str, start: &str, mut play: impl FnMut(&mut Player)) {
    for crash in [false, true] {
        let mut player = Player::new(&spec(schedule), start, crash);
        play(&mut player);
        // Whatever it was, nothing happens twice.
        let cases = player.cases();
        player.event();
        let _ = player.flows().fire_due().unwrap();
        assert_eq!(player.cases(), cases);
    }
}

#[test]
fn cases_begin_once_at_each_due_time_in_the_zone_of_the_schedule() {
    let schedule = "cron: '30 2 * * *', zone: Europe/Berlin, overlap: allow";
    // The clocks go forward on the 29th, and 02:30 is not there.
    both(schedule, "03-27T12:00:00", |player| {
        player.drive_until("03-30T12:00:00");
        assert_eq!(player.cases(), ["28T0130", "29T0100", "30T0030"]);
        let info = player.info();
        assert_eq!((info.started, info.skipped, info.missed), (3, 0, 0));
        assert_eq!(info.when, "30 2 * * * Europe/Berlin");
        assert_eq!(info.next.unwrap().as_micros(), at_micros("03-31T00:30:00"));
    });
    // They go back on the 25th, and 02:30 is there twice.
    both(schedule, "10-24T12:00:00", |player| {
        player.drive_until("10-26T12:00:00");
        assert_eq!(player.cases(), ["25T0030", "26T0130"]);
    });
}

#[test]
fn of_several_expressions_each_due_time_begins_one_case() {
    let schedule = "cron: ['0 9 * * MON-FRI', '0 12 * * SAT', '0 9 1 * *'], overlap: allow";
    // 1 May is a Friday, so that two expressions say the same.
    both(schedule, "04-30T12:00:00", |player| {
        player.drive_until("05-04T12:00:00");
        assert_eq!(player.cases(), ["01T0900", "02T1200", "04T0900"]);
        let info = player.info();
        assert_eq!((info.started, info.skipped, info.missed), (3, 0, 0));
        assert_eq!(info.when, "0 9 * * MON-FRI, 0 12 * * SAT, 0 9 1 * * UTC");
    });
    // Of those missed, the latest is made up for, whichever expression said it.
    both(schedule, "04-30T12:00:00", |player| {
        player.sleep_until("05-03T12:00:00");
        player.drive_until("05-03T13:00:00");
        assert_eq!(player.cases(), ["02T1200"]);
        assert_eq!((player.info().started, player.info().missed), (1, 1));
    });
}

#[test]
fn what_overlaps_is_skipped_begun_queued_or_cancels_the_last_one() {
    both("every: 1h", "03-01T00:10:00", |player| {
        player.drive_until("03-01T03:30:00");
        assert_eq!(player.cases(), ["01T0100"]);
        assert_eq!((player.info().started, player.info().skipped), (1, 2));
        player.complete();
        player.drive_until("03-01T04:30:00");
        assert_eq!(player.cases(), ["01T0100 completed", "01T0400"]);
    });
    both("every: 1h, overlap: queue", "03-01T00:10:00", |player| {
        player.drive_until("03-01T03:30:00");
        assert_eq!(player.cases(), ["01T0100"]);
        let queued = player.info().queued.unwrap();
        assert_eq!(queued.as_micros(), at_micros("03-01T02:00:00"));
        assert_eq!(player.info().skipped, 1);
        // In the commit in which the first one ends, the other begins.
        player.complete();
        assert_eq!(player.cases(), ["01T0100 completed", "01T0200"]);
        player.complete();
        assert_eq!(player.cases(), ["01T0100 completed", "01T0200 completed"]);
        assert_eq!((player.info().started, player.info().queued), (2, None));
    });
    both("every: 1h, overlap: cancel", "03-01T00:10:00", |player| {
        player.drive_until("03-01T03:30:00");
        assert_eq!(
            player.cases(),
            ["01T0100 cancelled", "01T0200 cancelled", "01T0300"]
        );
    });
}

#[test]
fn of_what_was_missed_the_latest_starts_are_made_up_for() {
    for (catch_up, begun, missed) in [
        ("", vec!["01T0500"], 4),
        ("catch_up: 3,", vec!["01T0300", "01T0400", "01T0500"], 2),
        (
            "catch_up: 9,",
            vec!["01T0100", "01T0200", "01T0300", "01T0400", "01T0500"],
            0,
        ),
        ("catch_up: 0,", vec![], 5),
    ] {
        let schedule = format!("{catch_up} every: 1h, overlap: allow");
        both(&schedule, "03-01T00:10:00", |player| {
            player.sleep_until("03-01T05:10:00");
            player.drive_until("03-01T05:50:00");
            assert_eq!(player.cases(), begun, "{schedule}");
            assert_eq!(player.info().missed, missed, "{schedule}");
            player.drive_until("03-01T06:10:00");
            assert_eq!(player.cases().len(), begun.len() + 1, "{schedule}");
        });
    }
    // A schedule of seconds that slept for a year costs no more than its limit.
    let mut player = Player::new(
        &spec("cron: '* * * * * *', overlap: allow, catch_up: 100"),
        "01-01T00:00:00",
        false,
    );
    player.sleep_until("12-31T00:00:00");
    let due = player.now();
    while player
        .flows()
        .next_due()
        .unwrap()
        .is_some_and(|at| at <= due)
    {
        player.flows().fire_due().unwrap();
    }
    assert_eq!(player.info().started, 100);
    assert_eq!(player.info().missed, 10_000);
}

#[test]
fn a_clock_that_is_set_back_starts_nothing_again() {
    let mut player = Player::new(&spec("every: 1h, overlap: allow"), "03-01T00:10:00", false);
    player.drive_until("03-01T02:30:00");
    assert_eq!(player.cases(), ["01T0100", "01T0200"]);
    player.set_clock("03-01T00:00:00");
    assert!(player.flows().fire_due().unwrap().is_empty());
    let next = player.flows().next_due().unwrap().unwrap();
    assert_eq!(next.as_micros(), at_micros("03-01T03:00:00"));
    player.drive_until("03-01T03:30:00");
    assert_eq!(player.cases(), ["01T0100", "01T0200", "01T0300"]);
    // Set forward, it is as if nobody had driven it.
    player.set_clock("03-05T00:30:00");
    player.drive_until("03-05T00:40:00");
    assert_eq!(player.cases().last().unwrap(), "05T0000");
    assert_eq!(player.cases().len(), 4);
    // Not even if the schedule was forgotten meanwhile.
    player
        .flows()
        .deploy("name: f\ntasks:\n  w: { kind: host }\n", None)
        .unwrap();
    assert!(player.flows().schedules().unwrap().is_empty());
    assert_eq!(player.flows().next_due().unwrap(), None);
    player.set_clock("03-01T00:30:00");
    player
        .flows()
        .deploy(&spec("every: 1h, overlap: allow"), None)
        .unwrap();
    player.drive_until("03-01T01:30:00");
    assert_eq!((player.cases().len(), player.info().skipped), (4, 1));
}

#[test]
fn a_paused_schedule_starts_nothing_and_goes_on_from_when_it_is_resumed() {
    both("every: 1h, overlap: queue", "03-01T00:10:00", |player| {
        player.drive_until("03-01T02:30:00");
        player.flows().pause_schedule("f").unwrap();
        player.event();
        let paused = player.info();
        assert!(paused.paused && paused.next.is_none() && paused.queued.is_none());
        assert!(player.flows().upcoming("f", 3).unwrap().is_empty());
        player.drive_until("03-01T05:30:00");
        player.complete();
        assert_eq!(player.cases(), ["01T0100 completed"]);
        let again = player.flows().pause_schedule("f");
        assert!(
            matches!(again, Err(Error::Refused { code: "paused", .. })),
            "{again:?}"
        );
        // Deployed again, it is as it was.
        player
            .flows()
            .deploy(&spec("every: 1h, overlap: queue"), None)
            .unwrap();
        assert!(player.info().paused);
        player.flows().resume_schedule("f").unwrap();
        player.event();
        let upcoming = player.flows().upcoming("f", 2).unwrap();
        let upcoming: Vec<i64> = upcoming.iter().map(|at| at.as_micros()).collect();
        assert_eq!(
            upcoming,
            ["03-01T06:00:00", "03-01T07:00:00"].map(at_micros)
        );
        player.drive_until("03-01T06:30:00");
        assert_eq!(player.cases(), ["01T0100 completed", "01T0600"]);
    });
    let world = World::new();
    let unknown = world.flows.pause_schedule("nothing");
    assert!(
        matches!(unknown, Err(Error::UnknownFlow { .. })),
        "{unknown:?}"
    );
}

#[test]
fn a_changed_schedule_begins_anew_and_cases_begin_on_the_newest_version() {
    let mut player = Player::new(&spec("every: 1h, overlap: allow"), "03-01T00:10:00", false);
    player.drive_until("03-01T01:30:00");
    player.sleep_until("03-01T02:30:00");
    // Due at 02:00, but nobody was there before it was changed.
    let changed = spec("cron: '45 * * * *', overlap: allow, input: { n: 7 }")
        .replace("tasks:", "version: 2\ntasks:");
    player.flows().deploy(&changed, None).unwrap();
    player.drive_until("03-01T02:50:00");
    assert_eq!(player.cases(), ["01T0100", "01T0245"]);
    let last = player.flows().case(&player.info().case.unwrap()).unwrap();
    assert_eq!(last.version, 2);
    let n = last.data.get("input").and_then(|i| i.get("n"));
    assert_eq!(n, Some(Value::from(7)));
}

#[test]
fn a_wait_until_the_next_time_of_cron_expressions() {
    let spec = "name: f\ntasks:\n  w: { kind: wait, cron: CRON, zone: Europe/Berlin }\n";
    // A Friday evening, and the clocks go forward on Sunday.
    for (cron, expected) in [
        ("0 9 * * 1-5", "03-30T07:00:00"),
        ("[0 9 * * 1-5, 0 21 * * *]", "03-27T20:00:00"),
    ] {
        let spec = spec.replace("CRON", cron);
        let mut player = Player::new(&spec, "03-27T18:00:00", true);
        player.flows().start("f", &Value::NULL, Some("c")).unwrap();
        player.event();
        let due = player.flows().next_due().unwrap().unwrap();
        assert_eq!(due.as_micros(), at_micros(expected));
        player.drive_until(expected);
        assert_eq!(player.world.status("c"), Status::Completed);
    }
}
