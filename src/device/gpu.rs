//! The calls to CUDA's driver: the only file of the crate with `unsafe` in it.
//!
//! Four things are unsafe here, each in one place: asking the driver for the GPU's name, loading a kernel, launching it,
//! unloading it. What
//! makes the launch sound is that the buffers are those that `descent.cu` says it reads and writes, with lengths that
//! follow from the very image that its source was put together for, and that each launch is waited for.

#![expect(unsafe_code, reason = "kernels are launched, and the driver is asked, by raw pointers")]

use super::{Image, Machine, SAMPLE, SLOTS, THREADS, progress};
use crate::error::Error;
use crate::simd::Real;
use cudarc::driver::sys::{
    CUdevice_attribute, CUfunction, CUfunction_attribute, CUmodule, CUresult, cuDeviceGetName, cuFuncSetAttribute,
};
use cudarc::driver::{CudaDevice, CudaSlice, DeviceRepr, DriverError, result};
use cudarc::nvrtc::{CompileError, Ptx, compile_ptx};
use std::ffi::{CStr, CString, c_int};
use std::sync::Arc;

/// The remedy where there is no usable GPU.
const NO_GPU: &str = "use the device cpu, or a machine with an NVIDIA GPU and its driver";

/// Shared memory that kernels have besides what they ask for at the launch.
const STATIC_SHARED: usize = 1024;

/// The longest name of a GPU, with its terminator.
const NAME: usize = 256;

/// The first GPU.
pub(crate) struct Gpu {
    device: Arc<CudaDevice>,
    /// The name that its maker gave it.
    pub model: String,
    /// Bytes of shared memory that a block may ask for.
    pub shared: usize,
    /// Bytes of memory that are free.
    pub free: u64,
}

impl Gpu {
    /// # Errors
    /// If there is none, or its driver does not work.
    pub(crate) fn open() -> Result<Self, Error> {
        let missing = |problem: String| Error::Backend { problem, remedy: NO_GPU };
        // cudarc's own constructor panics where the driver cannot be initialized or there is no GPU, so these go first.
        result::init().map_err(|error| missing(format!("CUDA's driver does not start ({:?})", error.0)))?;
        let count =
            result::device::get_count().map_err(|error| missing(format!("no GPU is listed ({:?})", error.0)))?;
        if count == 0 {
            return Err(missing("CUDA's driver sees no GPU".to_owned()));
        }
        let device = CudaDevice::new(0).map_err(|error| missing(format!("the GPU cannot be used ({:?})", error.0)))?;
        let mut name = [0; NAME];
        // SAFETY: the driver writes at most as many bytes as it is told, and the device is a valid one.
        unsafe { cuDeviceGetName(name.as_mut_ptr().cast(), NAME as c_int, *device.cu_device()) }
            .result()
            .map_err(failed)?;
        let name = CStr::from_bytes_until_nul(&name).map_or_else(|_| "?".into(), CStr::to_string_lossy);
        let shared = device.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        let (free, _) = result::mem_get_info().map_err(failed)?;
        Ok(Self {
            model: name.into_owned(),
            shared: (shared.map_err(failed)? as usize).saturating_sub(STATIC_SHARED),
            free: free as u64,
            device,
        })
    }

    /// Puts a batch on the GPU.
    pub(crate) fn load<R: Real>(&self, image: Image<R>) -> Result<Loaded<R>, Error> {
        let device = self.device.clone();
        let runs = image.runs();
        let source = image.source;
        let kernel = Kernel::build(&device, &source.text, if source.global { 0 } else { source.bytes })?;
        let up = |error: DriverError| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::Memory {
                what: format!("a batch of {runs} runs"),
                needed: (size_of_val(&image.parameters[..]) + size_of_val(&image.couplings[..])) as u64,
                free: result::mem_get_info().map_or(0, |(free, _)| free as u64),
                limit: "the GPU",
                remedy: "end what else computes on the GPU, or take fewer rates or seeds",
            },
            _ => failed(error),
        };
        let best = vec![R::ZERO; runs * image.dimension];
        let workspace = if source.global { runs * source.bytes / size_of::<R>() } else { 1 };
        Ok(Loaded {
            settings: device.htod_sync_copy(&image.settings).map_err(up)?,
            gains: device.htod_sync_copy(&image.gains).map_err(up)?,
            seeds: device.htod_sync_copy(&image.seeds).map_err(up)?,
            couplings: device.htod_sync_copy(&image.couplings).map_err(up)?,
            parameters: device.htod_sync_copy(&image.parameters).map_err(up)?,
            progress: device.htod_sync_copy(&image.progress).map_err(up)?,
            best: device.htod_sync_copy(&best).map_err(up)?,
            kept: device.alloc_zeros(SLOTS).map_err(up)?,
            samples: device.alloc_zeros(runs * SLOTS * SAMPLE).map_err(up)?,
            workspace: device.alloc_zeros(workspace).map_err(up)?,
            runs,
            kernel,
            device,
        })
    }
}

/// A kernel that is loaded.
struct Kernel {
    device: Arc<CudaDevice>,
    module: CUmodule,
    function: CUfunction,
    /// Bytes of shared memory that it asks for.
    shared: usize,
}

impl Kernel {
    /// Compiles and loads `source`, whose blocks ask for `shared` bytes of shared memory.
    fn build(device: &Arc<CudaDevice>, source: &str, shared: usize) -> Result<Self, Error> {
        let ptx: Ptx = compile_ptx(source).map_err(|error| match error {
            CompileError::CompileError { log, .. } => Error::Device(format!("NVRTC: {}", log.to_string_lossy())),
            error => Error::Device(format!("NVRTC: {error:?}")),
        })?;
        let ptx = CString::new(ptx.to_src()).map_err(|error| Error::Device(format!("NVRTC: {error}")))?;
        device.bind_to_thread().map_err(failed)?;
        // SAFETY: the image is PTX ending in a zero; the function is asked of the module just loaded, which lives as long as
        // this value.
        unsafe {
            let module = result::module::load_data(ptx.as_ptr().cast()).map_err(failed)?;
            let function = result::module::get_function(module, c"descend".to_owned()).map_err(failed);
            let kernel = Self { device: device.clone(), module, function: function?, shared };
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            cuFuncSetAttribute(kernel.function, attribute, shared as c_int).result().map_err(failed)?;
            Ok(kernel)
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        if self.device.bind_to_thread().is_ok() {
            // SAFETY: it was loaded by `build` and is unloaded here only, after every launch was waited for. What fails
            // now has failed before.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// A batch on the GPU: the kernel and its arguments.
pub(crate) struct Loaded<R: Real> {
    kernel: Kernel,
    settings: CudaSlice<f64>,
    gains: CudaSlice<f64>,
    seeds: CudaSlice<i32>,
    couplings: CudaSlice<R>,
    parameters: CudaSlice<R>,
    progress: CudaSlice<f64>,
    best: CudaSlice<R>,
    kept: CudaSlice<i64>,
    samples: CudaSlice<f64>,
    workspace: CudaSlice<R>,
    runs: usize,
    device: Arc<CudaDevice>,
}

impl<R: Real> Machine<R> for Loaded<R> {
    fn launch(&mut self, first: u64, count: u64, kept: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        assert!(kept.len() <= SLOTS, "a launch keeps at most {SLOTS} iterations");
        let mut slots = [0; SLOTS];
        for (slot, &iteration) in slots.iter_mut().zip(kept) {
            *slot = iteration as i64;
        }
        self.device.htod_sync_copy_into(&slots, &mut self.kept).map_err(failed)?;
        let (first, count, used) = (first as i64, count as i64, kept.len() as c_int);
        let mut arguments = [
            first.as_kernel_param(),
            count.as_kernel_param(),
            (&self.settings).as_kernel_param(),
            (&self.gains).as_kernel_param(),
            (&self.seeds).as_kernel_param(),
            (&self.couplings).as_kernel_param(),
            (&self.parameters).as_kernel_param(),
            (&self.progress).as_kernel_param(),
            (&self.best).as_kernel_param(),
            (&self.kept).as_kernel_param(),
            used.as_kernel_param(),
            (&self.samples).as_kernel_param(),
            (&self.workspace).as_kernel_param(),
        ];
        let Kernel { function, shared, .. } = self.kernel;
        let stream = *self.device.cu_stream();
        self.device.bind_to_thread().map_err(failed)?;
        // SAFETY: the arguments are those of `descend` in `descent.cu`, in its order and of its types; they outlive the launch,
        // which the copies below wait for. Each array has as many elements as the kernel touches for this many runs and at
        // most SLOTS slots, for the image that both were made from has one size.
        unsafe {
            let (grid, block) = ((self.runs as u32, 1, 1), (THREADS, 1, 1));
            result::launch_kernel(function, grid, block, shared as u32, stream, &mut arguments).map_err(failed)?;
        }
        let progress = self.device.dtoh_sync_copy(&self.progress).map_err(failed)?;
        let mut samples = vec![0.0; self.runs * kept.len() * SAMPLE];
        if !samples.is_empty() {
            let written = self.samples.slice(0..samples.len());
            self.device.dtoh_sync_copy_into(&written, &mut samples).map_err(failed)?;
        }
        debug_assert_eq!(progress.len(), self.runs * progress::COUNT);
        Ok((progress, samples))
    }

    fn best(&mut self) -> Result<Vec<R>, Error> {
        self.device.dtoh_sync_copy(&self.best).map_err(failed)
    }
}

/// By its name alone: the driver's own text for it may be what fails.
fn failed(error: DriverError) -> Error {
    Error::Device(format!("CUDA: {:?}", error.0))
}
