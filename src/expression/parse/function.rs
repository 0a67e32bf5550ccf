//! The functions that a text may call, under numpy's names.

use crate::expression::Array;
use std::ops::RangeInclusive;

/// A function, how a call of it is written, and how many arguments it takes, without the axis.
#[derive(Debug)]
pub(super) struct Function {
    pub name: &'static str,
    pub form: &'static str,
    pub arguments: RangeInclusive<usize>,
    pub meaning: Meaning,
}

/// A reduction of all elements, or along an axis.
type Along = (fn(Array) -> Array, Option<fn(Array, usize) -> Array>);

#[derive(Debug)]
pub(super) enum Meaning {
    One(fn(Array) -> Array),
    Two(fn(Array, Array) -> Array),
    Three(fn(Array, Array, Array) -> Array),
    Along(Along),
    Concatenate,
    Reshape,
    Take,
    Arange,
    Pairs,
}

impl Function {
    pub(super) fn has_axis(&self) -> bool {
        matches!(self.meaning, Meaning::Along((_, Some(_))))
    }
}

const fn one(name: &'static str, form: &'static str, function: fn(Array) -> Array) -> Function {
    Function { name, form, arguments: 1..=1, meaning: Meaning::One(function) }
}

const fn two(name: &'static str, form: &'static str, function: fn(Array, Array) -> Array) -> Function {
    Function { name, form, arguments: 2..=2, meaning: Meaning::Two(function) }
}

const fn along(
    name: &'static str,
    form: &'static str,
    of_all: fn(Array) -> Array,
    along_axis: Option<fn(Array, usize) -> Array>,
) -> Function {
    Function { name, form, arguments: 1..=1, meaning: Meaning::Along((of_all, along_axis)) }
}

const fn three(name: &'static str, form: &'static str, function: fn(Array, Array, Array) -> Array) -> Function {
    Function { name, form, arguments: 3..=3, meaning: Meaning::Three(function) }
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

pub(super) static FUNCTIONS: [Function; 44] = [
    one("sqrt", "sqrt(v)", |v| v.sqrt()),
    one("exp", "exp(v)", |v| v.exp()),
    one("expm1", "expm1(v)", |v| v.exp_m1()),
    one("log", "log(v)", |v| v.ln()),
    one("log1p", "log1p(v)", |v| v.ln_1p()),
    one("sin", "sin(v)", |v| v.sin()),
    one("cos", "cos(v)", |v| v.cos()),
    one("tan", "tan(v)", |v| v.tan()),
    one("arcsin", "arcsin(v)", |v| v.asin()),
    one("arccos", "arccos(v)", |v| v.acos()),
    one("arctan", "arctan(v)", |v| v.atan()),
    one("sinh", "sinh(v)", |v| v.sinh()),
    one("cosh", "cosh(v)", |v| v.cosh()),
    one("tanh", "tanh(v)", |v| v.tanh()),
    one("abs", "abs(v)", |v| v.abs()),
    one("sign", "sign(v)", |v| v.sign()),
    one("floor", "floor(v)", |v| v.floor()),
    one("relu", "relu(v)", |v| v.relu()),
    one("softplus", "softplus(v)", |v| v.softplus()),
    one("sigmoid", "sigmoid(v)", |v| v.sigmoid()),
    one("erf", "erf(v)", |v| v.erf()),
    one("square", "square(v)", |v| v.square()),
    one("cumsum", "cumsum(v)", |v| v.cumulative_sum()),
    one("transpose", "transpose(m)", |m| m.transpose()),
    one("ravel", "ravel(m)", |m| m.flatten()),
    two("minimum", "minimum(a, b)", |a, b| a.minimum(b)),
    two("maximum", "maximum(a, b)", |a, b| a.maximum(b)),
    two("power", "power(a, b)", |a, b| a.powf(b)),
    two("dot", "dot(a, b)", |a, b| a.matmul(b)),
    three("where", "where(condition, a, b)", |condition, a, b| condition.select(a, b)),
    three("clip", "clip(v, low, high)", |v, low, high| v.clamp(low, high)),
    along("sum", "sum(v) or sum(m, axis=1)", |v| v.sum(), Some(|v, axis| v.sum_axis(axis))),
    along("mean", "mean(v) or mean(m, axis=1)", |v| v.mean(), Some(|v, axis| v.mean_axis(axis))),
    along("norm", "norm(v) or norm(m, axis=1)", |v| v.norm(), Some(|v, axis| v.square().sum_axis(axis).sqrt())),
    along("prod", "prod(v)", |v| v.product(), None),
    along("min", "min(v), or minimum(a, b) of two", |v| v.min(), None),
    along("max", "max(v), or maximum(a, b) of two", |v| v.max(), None),
    along("logsumexp", "logsumexp(v)", |v| v.log_sum_exp(), None),
    Function { name: "concatenate", form: "concatenate([a, b])", arguments: 1..=1, meaning: Meaning::Concatenate },
    Function { name: "reshape", form: "reshape(v, rows, columns)", arguments: 2..=3, meaning: Meaning::Reshape },
    Function { name: "take", form: "take(v, places)", arguments: 2..=2, meaning: Meaning::Take },
    Function { name: "arange", form: "arange(count)", arguments: 1..=3, meaning: Meaning::Arange },
    Function { name: "pairs", form: "pairs(count)", arguments: 1..=1, meaning: Meaning::Pairs },
    Function {
        name: "size",
        form: "size(v)",
        arguments: 1..=1,
        meaning: Meaning::One(|v| Array::scalar(v.len() as f64)),
    },
];
