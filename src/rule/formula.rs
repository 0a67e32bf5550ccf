//! Update rules that move every parameter by the same formula, independently of the others.

use super::{Parts, Update};
use crate::simd::{Lanes, Real, Rows, Simd, WithSimd, dispatch};

/// The formula of such a rule, over registers of parameters. Each parameter has `STATES` numbers of state, 0 at the start.
pub(super) trait Formula<R: Real, const STATES: usize>: Copy + Send {
    /// The constants of a step.
    type Constants: Copy;

    /// The constants of step `number`, counted from 1, at `rate`.
    fn constants(self, number: u64, rate: f64) -> Self::Constants;

    /// The parameter after the step. Replaces `state` by the state for the next step.
    fn step<S: Simd>(
        constants: Self::Constants,
        value: Lanes<S, R>,
        gradient: Lanes<S, R>,
        state: &mut [Lanes<S, R>; STATES],
    ) -> Lanes<S, R>;
}

/// An update by a [`Formula`].
pub(super) struct Elementwise<F, R: Real, const STATES: usize> {
    formula: F,
    steps: u64,
    /// The state of every part.
    states: Vec<[Rows<R>; STATES]>,
}

impl<F, R: Real, const STATES: usize> Elementwise<F, R, STATES> {
    pub(super) fn new(formula: F) -> Self {
        Self { formula, steps: 0, states: Vec::new() }
    }
}

impl<R: Real, F: Formula<R, STATES>, const STATES: usize> Update<R> for Elementwise<F, R, STATES> {
    fn step(&mut self, rate: f64, _mean: f64, parts: &mut dyn Parts<R>) {
        self.steps += 1;
        let constants = self.formula.constants(self.steps, rate);
        let mut part = 0;
        parts.visit(&mut |values, gradient| {
            if self.states.len() == part {
                self.states.push(std::array::from_fn(|_| Rows::zeros(1, values.len())));
            }
            dispatch(Step::<F, R, STATES> { constants, values, gradient, states: &mut self.states[part] });
            part += 1;
        });
    }
}

struct Step<'a, F: Formula<R, STATES>, R: Real, const STATES: usize> {
    constants: F::Constants,
    values: &'a mut [R],
    gradient: &'a [R],
    states: &'a mut [Rows<R>; STATES],
}

impl<F: Formula<R, STATES>, R: Real, const STATES: usize> WithSimd for Step<'_, F, R, STATES> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (values, gradient) = (R::registers_mut::<S>(self.values), R::registers::<S>(self.gradient));
        let mut states = self.states.each_mut().map(|state| R::registers_mut::<S>(state).iter_mut());
        for (value, &gradient) in values.iter_mut().zip(gradient) {
            let mut places = states.each_mut().map(Iterator::next);
            let lanes = |register| Lanes::new(simd, register);
            let mut state =
                places.each_ref().map(|place| place.as_deref().map_or(lanes(*value), |&state| lanes(state)));
            *value = F::step(self.constants, lanes(*value), lanes(gradient), &mut state).register();
            for (place, state) in places.iter_mut().zip(state) {
                if let Some(place) = place {
                    **place = state.register();
                }
            }
        }
    }
}
