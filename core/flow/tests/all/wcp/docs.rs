//! Every flow of the user's page is one that runs.

use std::path::Path;

use statewright_flow::{Status, WorkItem};
use statewright_log::Env;
use statewright_value::{Value, value};

use super::game::{Game, Mode};

#[test]
fn every_example_of_the_flow_page_runs_to_its_end() {
    let io = Env::real().io;
    let page = io.read(Path::new("../../docs/FLOWS.md"), 1 << 20).unwrap();
    let page = String::from_utf8(page).unwrap();
    let mut run = 0;
    for block in page.split("```yaml\n").skip(1) {
        let spec = block.split("```").next().unwrap();
        if spec.contains("kind: process") {
            // The first one runs `find`; the examples of the repository do that.
            statewright_flow::net::Net::compile(spec, None).unwrap();
            continue;
        }
        for mode in [
            Mode::Straight,
            Mode::Crash,
            Mode::Random(1),
            Mode::Random(2),
        ] {
            let mut game = Game::start(spec, Value::NULL, mode);
            // One case is enough.
            for schedule in game.flows.schedules().unwrap() {
                game.flows.pause_schedule(&schedule.flow).unwrap();
            }
            let signal = spec
                .split("# signal: ")
                .nth(1)
                .and_then(|s| s.lines().next());
            if let Some(signal) = signal {
                game.flows
                    .signal("case", signal, &value!({"paid": true}))
                    .unwrap();
            }
            game.play(&|_: &WorkItem| Value::NULL);
            assert_eq!(
                game.end().status,
                Status::Completed,
                "{spec}\n{:#?}",
                game.trace()
            );
        }
        run += 1;
    }
    assert!(run >= 9, "{run}");
}
