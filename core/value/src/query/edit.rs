//! Changing what a query finds.

use crate::{Path, Result, Value};

use super::Query;

impl Value {
    /// Puts `value` at every place that `query` finds, and says at how many. Where one place is inside
    /// another, the outer one is replaced and the inner one goes with it. Costs what [`Query::paths`] costs, sorting
    /// the places, and one [`Value::set`] for each.
    ///
    /// ```
    /// use statewright_value::{Query, Value, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!({ "items": [{ "qty": 0 }, { "qty": 5 }, { "qty": 0 }] });
    /// let sold_out = Query::parse("$.items[?@.qty == 0].qty")?;
    /// assert_eq!(doc.set_all(&sold_out, &Value::from("none"))?, 2);
    /// assert_eq!(doc.to_json(), r#"{"items":[{"qty":"none"},{"qty":5},{"qty":"none"}]}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`], and [`crate::Error::Limit`] if the result would nest too deep; then nothing is
    /// changed.
    pub fn set_all(&mut self, query: &Query, value: &Value) -> Result<usize> {
        let places = outermost(query.paths(self.by_ref())?);
        let mut changed = self.clone();
        for place in &places {
            changed.set(place, value.clone())?;
        }
        *self = changed;
        Ok(places.len())
    }

    /// Removes everything that `query` finds, and says how many places that were; what is inside another
    /// result goes with it and is not counted. The order of what stays is kept. Costs what [`Query::paths`] costs,
    /// sorting the places, and one [`Value::remove`] for each.
    ///
    /// ```
    /// use statewright_value::{Query, value};
    /// # fn main() -> statewright_value::Result<()> {
    /// let mut doc = value!([1, 2, 3, 4, 5]);
    /// assert_eq!(doc.remove_all(&Query::parse("$[?@ > 1 && @ < 5]")?)?, 3);
    /// assert_eq!(doc, value!([1, 5]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::select`]; [`crate::Error::InvalidPath`] if the root is among the results, which cannot be
    /// removed. Then nothing is changed.
    pub fn remove_all(&mut self, query: &Query) -> Result<usize> {
        let places = outermost(query.paths(self.by_ref())?);
        let mut changed = self.clone();
        // From the end, so that no removal moves a place that is still to be removed.
        for place in places.iter().rev() {
            changed.remove(place)?;
        }
        *self = changed;
        Ok(places.len())
    }
}

/// In order, without duplicates and without what lies inside another one.
fn outermost(mut places: Vec<Path>) -> Vec<Path> {
    places.sort_unstable();
    let mut outermost: Vec<Path> = Vec::with_capacity(places.len());
    for place in places {
        if !outermost
            .last()
            .is_some_and(|outer| place.starts_with(outer))
        {
            outermost.push(place);
        }
    }
    outermost
}
