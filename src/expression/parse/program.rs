//! The operations of a text, in the order of evaluation.

use super::function::Function;
use std::ops::Range;

/// Names that mean something without having been defined.
pub(super) const GIVEN: [&str; 6] = ["u", "x", "d", "i", "pi", "e"];

/// A part of the text and the node that has its value.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub node: usize,
    pub span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    MatrixMultiply,
    Power,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

/// An index between brackets, for one axis.
#[derive(Clone, Debug)]
pub(super) enum Subscript {
    At(Piece),
    Slice([Option<Piece>; 3]),
}

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Number(f64),
    /// The coordinates in the box.
    U,
    /// The coordinates in the unit cube.
    X,
    /// Their number.
    D,
    /// The vector 0, 1, …
    I,
    /// Data by number.
    Data(usize),
    Negate(Piece),
    Binary(Operator, [Piece; 2]),
    Call {
        function: &'static Function,
        arguments: Vec<Piece>,
        axis: Option<Piece>,
    },
    List(Vec<Piece>),
    Part(Piece, Vec<Subscript>),
    Transpose(Piece),
}

/// An operation and where a mistake in it is shown.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub operation: Operation,
    pub place: Range<usize>,
}

/// Operations, each after those that it takes its operands from.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub nodes: Vec<Node>,
    pub result: Piece,
}
