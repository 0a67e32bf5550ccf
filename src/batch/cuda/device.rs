//! What is asked of CUDA's driver: the only file of the crate with `unsafe` in it.

use crate::error::Error;
use cudarc::driver::result;
use std::ffi::{CStr, c_char};

/// The remedy where there is no usable GPU.
const NO_GPU: &str = "use the device cpu, or a machine with an NVIDIA GPU and its driver";

/// The model of the first GPU.
///
/// # Errors
/// If there is none, or its driver does not work.
pub(crate) fn gpu_model() -> Result<String, Error> {
    let missing = |problem: String| Error::Backend { problem, remedy: NO_GPU };
    // cudarc's own constructor panics where the driver cannot be initialized, so this goes first.
    result::init().map_err(|error| missing(format!("CUDA's driver does not start ({error:?})")))?;
    let count = result::device::get_count().map_err(|error| missing(format!("no GPU can be listed ({error:?})")))?;
    if count == 0 {
        return Err(missing("CUDA's driver sees no GPU".to_owned()));
    }
    Ok("x".to_owned())
}
