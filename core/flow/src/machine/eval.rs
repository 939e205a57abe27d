//! Expressions on the case's data, and what they change in it.

use statewright_value::{Path, Value, value};

use super::Machine;
use crate::case::Instance;
use crate::expr::{Expr, ExprLimits};
use crate::failure::Failure;
use crate::net::TaskId;

impl Machine<'_> {
    pub(super) fn assign(
        &mut self,
        task: TaskId,
        assignments: &[(Path, Expr)],
    ) -> Result<(), Failure> {
        // All or nothing: a later failure must not leave earlier assignments in the data.
        let (data, writes) = (self.case.data.clone(), self.case.writes.len());
        for (path, expr) in assignments {
            let set = self
                .eval(expr, task, 1, None)
                .and_then(|value| self.set_data(path, value));
            if let Err(failure) = set {
                self.case.data = data;
                self.case.writes.truncate(writes);
                return Err(failure);
            }
        }
        Ok(())
    }

    pub(super) fn set_data(&mut self, path: &Path, value: Value) -> Result<(), Failure> {
        let set = self.case.data.set(path, value.clone());
        set.map_err(|e| Failure::new("data", e.to_string()).for_good())?;
        self.case.writes.push((path.clone(), value));
        Ok(())
    }

    pub(super) fn store_result(
        &mut self,
        task: TaskId,
        attempt: u32,
        raw: &Value,
    ) -> Result<(), Failure> {
        let Some(work) = self.task(task).and_then(|t| t.kind.work()) else {
            return Ok(());
        };
        let result = match &work.output {
            _ if self.recorded.is_some() => self.recorded.take().unwrap_or_default(),
            Some(output) => self.eval(output, task, attempt, Some(raw))?,
            None => raw.clone(),
        };
        self.set_data(&work.into, result)
    }

    pub(super) fn eval(
        &self,
        expr: &Expr,
        task: TaskId,
        attempt: u32,
        raw: Option<&Value>,
    ) -> Result<Value, Failure> {
        let name = self.task(task).map_or("", |t| &*t.name);
        self.eval_in(expr, name, attempt, raw, None)
    }

    /// On an error, which is `$error` too.
    pub(super) fn eval_error(
        &mut self,
        expr: &Expr,
        task: TaskId,
        error: &Value,
    ) -> Result<Value, Failure> {
        self.error = Some(error.clone());
        let value = self.eval(expr, task, 1, Some(error));
        self.error = None;
        value
    }

    /// For one instance of a task: with `$item` and `$index`.
    pub(super) fn eval_instance(
        &self,
        expr: &Expr,
        task: TaskId,
        instance: &Instance,
        raw: Option<&Value>,
    ) -> Result<Value, Failure> {
        let name = self.task(task).map_or("", |t| &*t.name);
        self.eval_in(expr, name, 1, raw, Some(instance))
    }

    /// Evaluates what somebody asks, on the case's data.
    pub fn query(&self, expr: &Expr) -> Result<Value, Failure> {
        self.eval_in(expr, "", 1, None, None)
    }

    /// Evaluates on `raw`, or on the case's data.
    pub(super) fn eval_in(
        &self,
        expr: &Expr,
        task: &str,
        attempt: u32,
        raw: Option<&Value>,
        instance: Option<&Instance>,
    ) -> Result<Value, Failure> {
        let data = &self.case.data;
        let (item, index) = match instance {
            Some(instance) => (instance.of.clone(), Value::from(u64::from(instance.index))),
            None => (Value::NULL, Value::NULL),
        };
        let caught = self.case.recovery.caught.as_ref();
        let error = self.error.clone().or_else(|| {
            let ending = self.case.recovery.ending.as_ref();
            ending
                .map(|e| e.error.clone())
                .or_else(|| caught.map(|c| c.error.clone()))
        });
        let [case, flow] = self.names.get_or_init(|| {
            let (name, version) = (&*self.net.name, self.net.version);
            [
                value!({"id": &*self.case.id, "flow": name, "version": version}),
                value!({"name": name, "version": version, "dir": self.net.dir.as_deref()}),
            ]
        });
        let variables = [
            case.clone(),
            flow.clone(),
            Value::from(task),
            Value::from(u64::from(attempt)),
            data.clone(),
            item,
            index,
            error.unwrap_or_default(),
            self.done.clone().unwrap_or_default(),
        ];
        let limits = ExprLimits::default();
        expr.eval(raw.unwrap_or(data), &variables, &limits)
            .map_err(|e| Failure::expression(expr.text(), &e))
    }
}

/// jq's truth: everything but null and false.
pub(super) fn truthy(value: &Value) -> bool {
    !value.is_null() && value.as_bool() != Some(false)
}
