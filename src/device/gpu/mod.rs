//! The GPU: CUDA's driver and NVRTC, loaded when they are first asked for.
//!
//! A program needs neither to be built. The GPU is opened once per process and stays open. A kernel is compiled once per source, GPU and
//! version of NVRTC: what is compiled is kept in the process, and on disk for other processes.
//!
//! The crate has `unsafe` in this folder only: for the functions of NVRTC, which are loaded by name, and here for asking the driver what it
//! is, and for launches. What makes a launch sound is that the buffers are those that `descent.cu` says it reads and writes, with lengths
//! that follow from the very image that its source was put together for, and that each launch is waited for.

#![expect(unsafe_code, reason = "the driver is loaded, and kernels are launched, by raw pointers")]

mod cache;
mod compiler;

use super::{Block, Image, Limits, Machine, Profile, SAMPLE, SLOTS, Source, progress};
use crate::error::Error;
use crate::simd::Real;
use bytemuck::cast_slice;
use cache::Entry;
use compiler::Compiler;
#[cfg(test)]
pub(crate) use compiler::compile_for;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUfunction_attribute as Property, CUresult};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DevicePtr, DriverError, LaunchConfig, PushKernelArg, result,
};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::ffi::c_int;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The advice where there is no usable GPU.
const NO_GPU: &str = "use the device cpu, or a machine with an NVIDIA GPU and its driver";

/// The version of CUDA that the driver has to be for, as it gives it.
const OLDEST_DRIVER: c_int = 12_000;

/// Shared memory of a kernel beyond the amount that its launch asks for.
const STATIC_SHARED: usize = 1024;

/// Shared memory that the system takes of every block.
const RESERVED_SHARED: usize = 1024;

/// The numbers that the probe writes.
const PROBED: c_int = 64;

/// The GPU that this process has opened.
static OPEN: Mutex<Option<Arc<Gpu>>> = Mutex::new(None);

/// The first GPU.
pub(crate) struct Gpu {
    context: Arc<CudaContext>,
    stream: Arc<CudaStream>,
    /// The name that its maker gave it.
    pub model: String,
    /// The limits that kernels are planned for.
    pub limits: Limits,
    /// The compute capability, such as 90 for 9.0.
    capability: c_int,
    /// The version of CUDA that its driver is for, such as 13000.
    driver: c_int,
    compiler: OnceLock<Compiler>,
    /// The kernels that are loaded, by source.
    kernels: Mutex<HashMap<String, CudaFunction>>,
    /// Whether a kernel has run.
    proven: OnceLock<()>,
}

impl Gpu {
    /// The first GPU, opened once per process.
    ///
    /// # Errors
    /// If there is none, or its driver does not work.
    pub(crate) fn open() -> Result<Arc<Self>, Error> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gpu) = &*open {
            return Ok(gpu.clone());
        }
        let gpu = Arc::new(Self::new()?);
        *open = Some(gpu.clone());
        Ok(gpu)
    }

    fn new() -> Result<Self, Error> {
        let missing = |problem: String| Error::Backend { problem, remedy: NO_GPU };
        // SAFETY: loading the driver runs its initializers.
        if !unsafe { sys::is_culib_present() } {
            return Err(missing("NVIDIA's driver is not installed: no libcuda.so.1 can be loaded".to_owned()));
        }
        // The driver's own text for an error may be what fails, so errors go by name.
        result::init().map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_NO_DEVICE => missing("NVIDIA's driver finds no GPU".to_owned()),
            code => Error::Backend {
                problem: format!("NVIDIA's driver does not start ({code:?})"),
                remedy: "see whether nvidia-smi runs, and what it says; or use the device cpu",
            },
        })?;
        let mut driver = 0;
        // SAFETY: the driver writes one number.
        unsafe { sys::cuDriverGetVersion(&mut driver) }.result().map_err(failed)?;
        if driver < OLDEST_DRIVER {
            return Err(Error::Backend {
                problem: format!(
                    "NVIDIA's driver is for CUDA {}, older than {}",
                    version(driver),
                    version(OLDEST_DRIVER)
                ),
                remedy: "install a newer driver from NVIDIA, or use the device cpu",
            });
        }
        if result::device::get_count().map_err(failed)? == 0 {
            return Err(missing("NVIDIA's driver finds no GPU".to_owned()));
        }
        let context =
            CudaContext::new(0).map_err(|error| missing(format!("the GPU cannot be used ({:?})", error.0)))?;
        let attribute = |attribute| context.attribute(attribute).map_err(failed);
        let bytes = |of| attribute(of).map(|bytes| usize::try_from(bytes).unwrap_or(0));
        let limits = Limits {
            block: bytes(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?
                .saturating_sub(STATIC_SHARED),
            processor: bytes(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)?,
            reserved: STATIC_SHARED + RESERVED_SHARED,
        };
        let [major, minor] = [
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ];
        Ok(Self {
            model: context.name().map_err(failed)?,
            limits,
            capability: 10 * major + minor,
            driver,
            compiler: OnceLock::new(),
            kernels: Mutex::default(),
            proven: OnceLock::new(),
            stream: context.default_stream(),
            context,
        })
    }

    /// Bytes of memory that are free.
    ///
    /// # Errors
    /// If the driver does not say.
    pub(crate) fn free(&self) -> Result<u64, Error> {
        self.context.mem_get_info().map(|(free, _)| free as u64).map_err(failed)
    }

    /// Runs a small kernel, once per process: the driver, NVRTC and the GPU work together.
    ///
    /// # Errors
    /// If any of them is missing or fails.
    pub(crate) fn prove(&self) -> Result<(), Error> {
        if self.proven.get().is_some() {
            return Ok(());
        }
        let probe = self.kernel(include_str!("probe.cu"), "probe")?;
        let mut numbers = self.stream.alloc_zeros::<u8>(PROBED as usize * size_of::<c_int>()).map_err(failed)?;
        let shape = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (PROBED as u32, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: the arguments are those of `probe` in `probe.cu`, in its order and of its types, and the buffer has PROBED numbers;
        // both outlive the launch, which the copy waits for.
        unsafe { self.stream.launch_builder(&probe).arg(&PROBED).arg(&mut numbers).launch(shape) }.map_err(failed)?;
        let found = self.down(&numbers)?;
        let expected: Vec<c_int> = (0..PROBED).map(|item| item * item + 1).collect();
        if found != cast_slice::<c_int, u8>(&expected) {
            return Err(Error::Backend {
                problem: "a kernel that only writes numbers has written others".to_owned(),
                remedy: "install a newer driver, or use the device cpu",
            });
        }
        let _ = self.proven.set(());
        Ok(())
    }

    /// The kernel called `name` of `source`.
    fn kernel(&self, source: &str, name: &str) -> Result<CudaFunction, Error> {
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels.get(source) {
            return Ok(kernel.clone());
        }
        let compiler = match self.compiler.get() {
            Some(compiler) => compiler,
            None => {
                let loaded = Compiler::load(self.driver / 1000)?;
                self.compiler.get_or_init(|| loaded)
            }
        };
        let target = compiler.target(self.capability)?;
        let entry = Entry::of(format!("NVRTC {}, {target:?}\n{source}", compiler.version()));
        // One that the driver does not load any more is compiled anew.
        let loaded = |image: Vec<u8>| {
            self.context.load_module(Ptx::from_binary(image)).map_err(|error| self.refused(error, compiler))
        };
        let kept = entry.as_ref().and_then(Entry::read).and_then(|image| loaded(image).ok());
        let module = match kept {
            Some(module) => module,
            None => {
                let image = compiler.compile(source, target)?;
                let module = loaded(image.clone())?;
                if let Some(entry) = entry {
                    entry.write(&image);
                }
                module
            }
        };
        let kernel = module.load_function(name).map_err(failed)?;
        kernels.insert(source.to_owned(), kernel.clone());
        Ok(kernel)
    }

    fn refused(&self, error: DriverError, compiler: &Compiler) -> Error {
        if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return failed(error);
        }
        Error::Backend {
            problem: format!(
                "the driver, which is for CUDA {}, does not load what NVRTC {} compiles ({:?})",
                version(self.driver),
                compiler.version(),
                error.0
            ),
            remedy: "install a newer driver, or the NVRTC of the driver's version: nvidia-cuda-nvrtc-cu12 from PyPI for CUDA 12; or use the \
                device cpu",
        }
    }

    fn down(&self, buffer: &impl DevicePtr<u8>) -> Result<Vec<u8>, Error> {
        let bytes = self.stream.clone_dtoh(buffer).map_err(failed)?;
        self.stream.synchronize().map_err(failed)?;
        Ok(bytes)
    }

    /// The kernel of a batch, ready for launches, and the shared memory that its blocks ask for.
    fn descent(&self, Source { text, block, .. }: &Source) -> Result<(CudaFunction, usize), Error> {
        let kernel = self.kernel(text, "descend")?;
        let shared = if block.global { 0 } else { block.bytes };
        let property = |property, value: usize| kernel.set_attribute(property, value as c_int).map_err(failed);
        property(Property::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared)?;
        if !block.global {
            let all = block.resident * (block.bytes + self.limits.reserved);
            let share = (100 * all).div_ceil(self.limits.processor.max(1));
            property(Property::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, share.min(100))?;
        }
        Ok((kernel, shared))
    }

    /// The driver's report on the kernel of a batch.
    ///
    /// # Errors
    /// If it cannot be compiled or loaded.
    pub(crate) fn profile(&self, source: &Source) -> Result<Profile, Error> {
        let (kernel, shared) = self.descent(source)?;
        let threads = source.block.threads;
        let resident = kernel.occupancy_max_active_blocks_per_multiprocessor(threads as u32, shared, None);
        let attribute = |attribute| self.context.attribute(attribute).map_err(failed);
        let count = |count: c_int| usize::try_from(count).unwrap_or(0);
        Ok(Profile {
            gpu: self.model.clone(),
            processors: count(attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?),
            clock: f64::from(attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?) * 1e-6,
            registers: count(kernel.num_regs().map_err(failed)?),
            local_bytes: count(kernel.local_size_bytes().map_err(failed)?),
            threads,
            shared_bytes: shared,
            planned_blocks: source.block.resident,
            resident_blocks: resident.map_err(failed)? as usize,
        })
    }

    /// Puts a batch on the GPU.
    ///
    /// # Errors
    /// If the kernel cannot be compiled or loaded, or the GPU's memory is full.
    pub(crate) fn load<R: Real>(self: Arc<Self>, image: Image<R>) -> Result<Loaded, Error> {
        let Image { source, settings, gains, seeds, couplings, bases, parameters, progress, dimension } = &image;
        let (runs, block) = (image.runs(), source.block);
        let (kernel, shared) = self.descent(source)?;
        let upload = |bytes: &[u8]| self.stream.clone_htod(bytes);
        let zeros = |bytes: usize| self.stream.alloc_zeros::<u8>(bytes.max(1));
        let buffers = || {
            Ok(Buffers {
                settings: upload(cast_slice(settings))?,
                gains: upload(cast_slice(gains))?,
                seeds: upload(cast_slice(seeds))?,
                couplings: upload(cast_slice(couplings))?,
                bases: upload(cast_slice(bases))?,
                parameters: upload(cast_slice(parameters))?,
                memory: zeros(runs * source.memory * size_of::<f64>())?,
                progress: upload(cast_slice(progress))?,
                best: zeros(runs * dimension * size_of::<R>())?,
                kept: zeros(SLOTS * size_of::<i64>())?,
                samples: zeros(runs * SLOTS * SAMPLE * size_of::<f64>())?,
                workspace: zeros(if block.global { runs * block.bytes } else { 0 })?,
            })
        };
        let buffers = buffers().map_err(|error: DriverError| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::Memory {
                what: format!("a batch of {runs} runs"),
                needed: image.bytes() as u64,
                free: self.free().unwrap_or(0),
                limit: "the GPU",
                remedy: "end what else computes on the GPU, or take fewer rates or seeds",
            },
            _ => failed(error),
        })?;
        Ok(Loaded { gpu: self.clone(), kernel, block, shared: shared as u32, runs, buffers })
    }
}

/// The arrays of a batch on the GPU, see `descend` in `descent.cu`.
struct Buffers {
    settings: CudaSlice<u8>,
    gains: CudaSlice<u8>,
    seeds: CudaSlice<u8>,
    couplings: CudaSlice<u8>,
    bases: CudaSlice<u8>,
    parameters: CudaSlice<u8>,
    memory: CudaSlice<u8>,
    progress: CudaSlice<u8>,
    best: CudaSlice<u8>,
    kept: CudaSlice<u8>,
    samples: CudaSlice<u8>,
    workspace: CudaSlice<u8>,
}

/// A batch on the GPU: the kernel and its arguments.
pub(crate) struct Loaded {
    gpu: Arc<Gpu>,
    kernel: CudaFunction,
    block: Block,
    /// Bytes of shared memory that a block asks for.
    shared: u32,
    runs: usize,
    buffers: Buffers,
}

impl<R: Real> Machine<R> for Loaded {
    fn launch(&mut self, first: u64, count: u64, kept: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        assert!(kept.len() <= SLOTS, "a launch keeps at most {SLOTS} iterations");
        let mut slots = [0i64; SLOTS];
        for (slot, &iteration) in slots.iter_mut().zip(kept) {
            *slot = iteration as i64;
        }
        let Self { gpu, kernel, block, shared, runs, buffers } = self;
        let stream = &gpu.stream;
        stream.memcpy_htod(cast_slice::<i64, u8>(&slots), &mut buffers.kept).map_err(failed)?;
        let (first, count, used) = (first as i64, count as i64, kept.len() as c_int);
        let grid_dim = (*runs as u32, 1, 1);
        let shape = LaunchConfig { grid_dim, block_dim: (block.threads as u32, 1, 1), shared_mem_bytes: *shared };
        let mut launch = stream.launch_builder(kernel);
        launch.arg(&first).arg(&count).arg(&buffers.settings).arg(&buffers.gains).arg(&buffers.seeds);
        launch.arg(&buffers.couplings).arg(&buffers.bases).arg(&mut buffers.parameters).arg(&mut buffers.memory);
        launch.arg(&mut buffers.progress).arg(&mut buffers.best).arg(&buffers.kept).arg(&used);
        launch.arg(&mut buffers.samples).arg(&mut buffers.workspace);
        // SAFETY: the arguments are those of `descend` in `descent.cu`, in its order and of its types; they outlive the launch,
        // which the copies below wait for. Each array has as many elements as the kernel touches for this many runs and at
        // most SLOTS slots, for the image that both were made from has one size.
        unsafe { launch.launch(shape) }.map_err(failed)?;
        let progress = gpu.down(&buffers.progress)?;
        let progress = bytemuck::pod_collect_to_vec::<u8, f64>(&progress);
        debug_assert_eq!(progress.len(), *runs * progress::COUNT);
        // The kernel writes them one after the other, from the start of the buffer.
        let taken = *runs * kept.len() * SAMPLE;
        let samples = match taken {
            0 => Vec::new(),
            _ => gpu.down(&buffers.samples.slice(..taken * size_of::<f64>()))?,
        };
        Ok((progress, bytemuck::pod_collect_to_vec::<u8, f64>(&samples)))
    }

    fn best(&mut self) -> Result<Vec<R>, Error> {
        let bytes = self.gpu.down(&self.buffers.best)?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

/// A version of CUDA as the driver gives it, such as 13000 for 13.0.
fn version(driver: c_int) -> String {
    format!("{}.{}", driver / 1000, driver % 1000 / 10)
}

/// By its name alone: the driver's own text for it may be what fails.
fn failed(error: DriverError) -> Error {
    let remedy = match error.0 {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => "end what else computes on the GPU, or use the device cpu",
        _ => "run it again, and if it comes back see what nvidia-smi says, or use the device cpu",
    };
    Error::Device(format!("{:?} from NVIDIA's driver; {remedy}", error.0))
}
