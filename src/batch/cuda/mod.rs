//! Batches on a GPU.

mod device;

pub(crate) use device::gpu_model;
