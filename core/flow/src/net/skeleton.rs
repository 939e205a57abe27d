//! The control flow of a net, for analysis.

use super::{Place, Section, Task};
use crate::analysis::Skeleton;
use crate::analysis::skeleton::{self, Malformed, Weighted};

/// The skeleton of a net of these parts; the first token of a case belongs to the tokens of its start place.
pub(crate) fn of(
    places: &[Place],
    tasks: &[Task],
    sections: &[Section],
    late: Option<usize>,
) -> Result<Skeleton, Malformed> {
    let places = places.iter().map(|p| skeleton::Place {
        name: p.name.clone(),
        tokens: p.tokens,
    });
    let tasks = tasks.iter().map(|t| skeleton::Task {
        name: t.name.to_string(),
        join: t.join,
        split: t.split,
        inputs: t
            .inputs
            .iter()
            .map(|i| Weighted {
                place: i.place,
                weight: i.tokens,
            })
            .collect(),
        outputs: t
            .outputs
            .iter()
            .map(|e| Weighted {
                place: e.place,
                weight: e.tokens,
            })
            .collect(),
        tests: t.tests.clone(),
        cancels_places: t.cancels.places.clone(),
        cancels_tasks: t.cancels.tasks.clone(),
        multiple: t.many.is_some(),
        composite: t.kind.is_flow(),
        external: t.kind.is_offered() && t.many.is_none(),
        terminate: t.terminate,
        fails_to: t.error_places().collect(),
        undoes: t.undoes,
    });
    let sections = sections.iter().map(|s| skeleton::Section {
        name: s.name.clone(),
        mutex: s.mutex,
        tasks: s.tasks.clone(),
        places: s.places.clone(),
    });
    let skeleton = Skeleton::new(places.collect(), tasks.collect(), sections.collect())?;
    Ok(match late {
        Some(place) => skeleton.with_deadline(place),
        None => skeleton,
    })
}
