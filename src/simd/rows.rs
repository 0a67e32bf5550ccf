//! Matrices whose rows are whole registers.

use super::Real;
use bytemuck::Zeroable;
use std::ops::{Deref, DerefMut};

/// Rows of scalars, each padded with zeros to a whole number of [`Real::Block`]s and aligned to them.
#[derive(Clone, Debug)]
pub struct Rows<R: Real> {
    blocks: Vec<R::Block>,
    stride: usize,
}

impl<R: Real> Rows<R> {
    /// `rows` × `columns` zeros.
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let blocks = columns.div_ceil(R::BLOCK);
        Self { blocks: vec![Zeroable::zeroed(); rows * blocks], stride: blocks * R::BLOCK }
    }

    /// The distance from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The rows with their padding.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'_, R> {
        self.chunks_exact(self.stride)
    }

    /// The rows with their padding.
    pub(crate) fn rows_mut(&mut self) -> std::slice::ChunksExactMut<'_, R> {
        let stride = self.stride;
        self.chunks_exact_mut(stride)
    }
}

impl<R: Real> Deref for Rows<R> {
    type Target = [R];
    #[inline(always)]
    fn deref(&self) -> &[R] {
        bytemuck::cast_slice(&self.blocks)
    }
}

impl<R: Real> DerefMut for Rows<R> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [R] {
        bytemuck::cast_slice_mut(&mut self.blocks)
    }
}
