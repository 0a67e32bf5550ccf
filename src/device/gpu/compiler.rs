//! NVRTC, CUDA's compiler for kernels: found and loaded when a kernel is first compiled.
//!
//! Kernels are compiled to machine code of the GPU at hand, which also a driver older than NVRTC loads. Where NVRTC does not know the GPU
//! they are compiled to PTX for the newest one that it knows, which the driver translates.

#![expect(unsafe_code, reason = "the functions of a library are loaded by name")]

use crate::error::Error;
use libloading::Library;
use std::error::Error as _;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::{env, fs};

/// The advice where NVRTC is missing.
const NO_NVRTC: &str = "install the package nvidia-cuda-nvrtc from PyPI, libnvrtc12 or libnvrtc11.2 from Debian, or CUDA's toolkit, and put its \
    folder into LD_LIBRARY_PATH if it is none of these; or use the device cpu";

/// The major versions of CUDA whose NVRTC is used, with the ending of the library's name.
const VERSIONS: [(i32, &str); 3] = [(13, "so.13"), (12, "so.12"), (11, "so.11.2")];

/// The environment variables that name the folder of CUDA's toolkit.
const TOOLKITS: [&str; 3] = ["CUDA_PATH", "CUDA_HOME", "CUDA_ROOT"];

/// `nvrtcResult` of a call without a mistake.
const SUCCESS: c_int = 0;

type Program = *mut c_void;
type Get<T> = unsafe extern "C" fn(Program, *mut T) -> c_int;

/// NVRTC, loaded.
pub(super) struct Compiler {
    version: [c_int; 2],
    /// The compute capabilities that it compiles for, such as 90 for 9.0, in ascending order.
    architectures: Vec<c_int>,
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    log_size: Get<usize>,
    log: Get<c_char>,
    cubin_size: Get<usize>,
    cubin: Get<c_char>,
    ptx_size: Get<usize>,
    ptx: Get<c_char>,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    /// Keeps the functions, and what NVRTC loads by name itself.
    libraries: Vec<Library>,
}

/// The target of a compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Machine code for this compute capability.
    Machine(c_int),
    /// PTX for this compute capability.
    Ptx(c_int),
}

impl Target {
    /// The option that selects it.
    fn option(self) -> String {
        match self {
            Self::Machine(capability) => format!("--gpu-architecture=sm_{capability}"),
            Self::Ptx(capability) => format!("--gpu-architecture=compute_{capability}"),
        }
    }
}

impl Compiler {
    /// The first NVRTC found, that of the driver's major version of CUDA before others.
    ///
    /// # Errors
    /// If there is none that can be used.
    pub(super) fn load(driver: c_int) -> Result<Self, Error> {
        let mut versions = VERSIONS;
        versions.sort_by_key(|&(major, _)| major != driver);
        let (mut unusable, folders) = (None, folders());
        for (_, ending) in versions {
            let name = format!("libnvrtc.{ending}");
            for path in std::iter::once(PathBuf::from(&name)).chain(folders.iter().map(|folder| folder.join(&name))) {
                if path.has_root() && !path.exists() {
                    continue;
                }
                // SAFETY: loading NVRTC runs its initializers, which are those of a library that CUDA ships.
                match unsafe { Library::new(&path) } {
                    Ok(library) => match Self::new(library) {
                        Ok(mut compiler) => {
                            compiler.load_builtins(&path);
                            return Ok(compiler);
                        }
                        Err(reason) => unusable = Some((path, reason)),
                    },
                    Err(error) => {
                        let reason = reason(&error);
                        if path.has_root() || !is_missing(&name, &reason) {
                            unusable = Some((path, reason));
                        }
                    }
                }
            }
        }
        let problem = match unusable {
            Some((path, reason)) => format!("NVRTC cannot be used: {}: {reason}", path.display()),
            None => {
                let endings = VERSIONS.map(|(_, ending)| ending).join(", ");
                format!(
                    "NVRTC, CUDA's compiler for kernels, is not found: no libnvrtc ({endings}) where the system's loader looks, \
                     under {}, in /usr/local/cuda*, or in Python's packages of VIRTUAL_ENV, CONDA_PREFIX, the user and the system",
                    TOOLKITS.join(", ")
                )
            }
        };
        Err(Error::Backend { problem, remedy: NO_NVRTC })
    }

    fn new(library: Library) -> Result<Self, String> {
        /// # Safety
        /// `T` must be the type of the function called `name`.
        unsafe fn function<T: Copy>(library: &Library, name: &str) -> Result<T, String> {
            // SAFETY: by this function's own condition.
            unsafe { library.get::<T>(name) }.map(|symbol| *symbol).map_err(|error| reason(&error))
        }
        // SAFETY: the types are those of nvrtc.h, the same in all versions since 11.2.
        let (mut compiler, version, count, list) = unsafe {
            let version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int = function(&library, "nvrtcVersion")?;
            let count: unsafe extern "C" fn(*mut c_int) -> c_int = function(&library, "nvrtcGetNumSupportedArchs")?;
            let list: unsafe extern "C" fn(*mut c_int) -> c_int = function(&library, "nvrtcGetSupportedArchs")?;
            let compiler = Self {
                version: [0; 2],
                architectures: Vec::new(),
                create: function(&library, "nvrtcCreateProgram")?,
                compile: function(&library, "nvrtcCompileProgram")?,
                log_size: function(&library, "nvrtcGetProgramLogSize")?,
                log: function(&library, "nvrtcGetProgramLog")?,
                cubin_size: function(&library, "nvrtcGetCUBINSize")?,
                cubin: function(&library, "nvrtcGetCUBIN")?,
                ptx_size: function(&library, "nvrtcGetPTXSize")?,
                ptx: function(&library, "nvrtcGetPTX")?,
                destroy: function(&library, "nvrtcDestroyProgram")?,
                libraries: vec![library],
            };
            (compiler, version, count, list)
        };
        let failed =
            |what: &str, code: c_int| if code == SUCCESS { Ok(()) } else { Err(format!("{what} gives {code}")) };
        let [major, minor] = &mut compiler.version;
        let mut length = 0;
        // SAFETY: each function writes one number to where it is pointed, the last as many as the one before has counted.
        unsafe {
            failed("nvrtcVersion", version(major, minor))?;
            failed("nvrtcGetNumSupportedArchs", count(&mut length))?;
            compiler.architectures = vec![0; usize::try_from(length).unwrap_or(0)];
            failed("nvrtcGetSupportedArchs", list(compiler.architectures.as_mut_ptr()))?;
        }
        compiler.architectures.sort_unstable();
        Ok(compiler)
    }

    /// Loads the library that NVRTC asks the system's loader for by its name alone, from beside the NVRTC at `path`: the loader does not look
    /// there, but knows a library that is loaded.
    fn load_builtins(&mut self, path: &Path) {
        let Some(folder) = path.parent().filter(|folder| folder.has_root()) else { return };
        let [major, minor] = self.version;
        // SAFETY: loading it runs its initializers, which are those of a part of NVRTC.
        let library = unsafe { Library::new(folder.join(format!("libnvrtc-builtins.so.{major}.{minor}"))) };
        self.libraries.extend(library);
    }

    /// The version, such as `13.0`.
    pub(super) fn version(&self) -> String {
        let [major, minor] = self.version;
        format!("{major}.{minor}")
    }

    /// The image for a GPU of compute capability `capability`.
    ///
    /// # Errors
    /// If the GPU is older than all that NVRTC knows.
    pub(super) fn target(&self, capability: c_int) -> Result<Target, Error> {
        if self.architectures.contains(&capability) {
            return Ok(Target::Machine(capability));
        }
        let newest = self.architectures.iter().rev().find(|&&known| known < capability);
        newest.map(|&known| Target::Ptx(known)).ok_or_else(|| Error::Backend {
            problem: format!(
                "NVRTC {} does not compile for the GPU's compute capability {}.{}",
                self.version(),
                capability / 10,
                capability % 10
            ),
            remedy: "install the NVRTC of an earlier version of CUDA, such as nvidia-cuda-nvrtc-cu12 from PyPI, or use the device cpu",
        })
    }

    /// The image of `source` for `target`, as the driver loads it.
    ///
    /// # Errors
    /// If the source is not accepted, or the compiler fails.
    pub(super) fn compile(&self, source: &str, target: Target) -> Result<Vec<u8>, Error> {
        self.compile_with(source, target, &[]).map(|(image, _)| image)
    }

    /// The image, and what the compiler says, with more options.
    fn compile_with(&self, source: &str, target: Target, more: &[&CStr]) -> Result<(Vec<u8>, String), Error> {
        // On one line, whatever the compiler writes.
        let said = |what: &str| {
            let lines: Vec<&str> = what.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            Error::Device(format!("NVRTC {}: {}; use the device cpu", self.version(), lines.join(" | ")))
        };
        let text = CString::new(source).map_err(|error| said(&error.to_string()))?;
        let option = CString::new(target.option()).map_err(|error| said(&error.to_string()))?;
        let options = [&*option, c"--std=c++17"].into_iter().chain(more.iter().copied());
        let options: Vec<*const c_char> = options.map(CStr::as_ptr).collect();
        let check =
            |what: &str, code: c_int| if code == SUCCESS { Ok(()) } else { Err(said(&format!("{what} gives {code}"))) };
        let mut program: Program = std::ptr::null_mut();
        // SAFETY: the texts end in zeros and outlive the program, which is created before it is used and destroyed once; `all`
        // has the size that the compiler asks for.
        unsafe {
            let created = (self.create)(&mut program, text.as_ptr(), c"kernel.cu".as_ptr(), 0, null(), null());
            check("nvrtcCreateProgram", created)?;
            let all = |size: Get<usize>, get: Get<c_char>| {
                let mut length = 0;
                let mut code = size(program, &mut length);
                let mut bytes = vec![0u8; length];
                if code == SUCCESS {
                    code = get(program, bytes.as_mut_ptr().cast());
                }
                (code, bytes)
            };
            let code = (self.compile)(program, options.len() as c_int, options.as_ptr());
            let log = all(self.log_size, self.log).1;
            let log = CStr::from_bytes_until_nul(&log).map_or("".into(), CStr::to_string_lossy).trim().to_owned();
            let image = if code == SUCCESS {
                let (code, image) = match target {
                    Target::Machine(_) => all(self.cubin_size, self.cubin),
                    Target::Ptx(_) => all(self.ptx_size, self.ptx),
                };
                check("the image", code).map(|()| (image, log))
            } else {
                Err(said(&format!("nvrtcCompileProgram gives {code}: {log}")))
            };
            check("nvrtcDestroyProgram", (self.destroy)(&mut program))?;
            image
        }
    }
}

/// The machine code of `source` for a compute capability, and the assembler's report on it.
#[cfg(test)]
pub(crate) fn compile_for(capability: c_int, source: &str) -> Result<(Vec<u8>, String), Error> {
    static COMPILER: std::sync::OnceLock<Compiler> = std::sync::OnceLock::new();
    let compiler = COMPILER.get_or_init(|| Compiler::load(VERSIONS[0].0).unwrap_or_else(|error| panic!("{error}")));
    compiler.compile_with(source, Target::Machine(capability), &[c"--ptxas-options=--verbose"])
}

/// True if the system's loader does not know the library `name`, rather than that it cannot load it, for which this is the reason. The loader has only
/// words for that: glibc's `NAME: cannot open shared object file: No such file or directory` and musl's `Error loading shared library NAME: No such
/// file or directory`. Of any other loader a missing library counts as one that cannot be loaded.
fn is_missing(name: &str, reason: &str) -> bool {
    let rest = reason.strip_prefix("Error loading shared library ").unwrap_or(reason).strip_prefix(name);
    rest.is_some_and(|rest| rest.starts_with(':') && rest.contains("No such file") && !rest.contains("needed by"))
}

/// The reason of the system's loader, which the error itself does not say.
fn reason(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The folders besides those of the system's loader where NVRTC may be.
fn folders() -> Vec<PathBuf> {
    let variable = |name: &&str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut folders = Vec::new();
    let mut toolkits: Vec<PathBuf> = TOOLKITS.iter().filter_map(variable).collect();
    let mut local = entries(Path::new("/usr/local"), "cuda");
    // The newest last version first, after the one that `cuda` itself leads to.
    local.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    toolkits.push(PathBuf::from("/usr/local/cuda"));
    toolkits.extend(local);
    folders.extend(toolkits.iter().flat_map(|toolkit| [toolkit.join("lib64"), toolkit.join("lib")]));
    let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().filter_map(variable);
    let environments: Vec<PathBuf> = environments.chain(variable(&"HOME").map(|home| home.join(".local"))).collect();
    folders.extend(environments.iter().map(|root| root.join("lib")));
    let libraries = environments.iter().map(|root| root.join("lib"));
    let libraries = libraries.chain(["/usr/local/lib", "/usr/lib"].map(PathBuf::from));
    for python in libraries.flat_map(|library| entries(&library, "python3")) {
        for packages in ["site-packages", "dist-packages"].map(|packages| python.join(packages).join("nvidia")) {
            folders.extend(["cu13/lib", "cuda_nvrtc/lib"].map(|place| packages.join(place)));
        }
    }
    folders
}

/// The entries of `folder` whose names begin with `prefix`.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let begins = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    entries.flatten().map(|entry| entry.path()).filter(begins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_told_from_one_that_cannot_be_loaded() {
        for (reason, missing) in [
            ("libnvrtc.so.13: cannot open shared object file: No such file or directory", true),
            ("Error loading shared library libnvrtc.so.13: No such file or directory", true),
            ("libm.so.6: cannot open shared object file: No such file or directory", false),
            (
                "Error loading shared library libm.so.6: No such file or directory (needed by /lib/libnvrtc.so.13)",
                false,
            ),
            ("libnvrtc.so.13: cannot open shared object file: Permission denied", false),
            ("/lib/libnvrtc.so.13: file too short", false),
            ("Error loading shared library libnvrtc.so.13: Exec format error", false),
        ] {
            assert_eq!(is_missing("libnvrtc.so.13", reason), missing, "{reason}");
        }
        #[cfg(target_os = "linux")]
        {
            let name = "libnvrtc.so.no-such-version";
            // SAFETY: there is no such library.
            let reason = reason(&unsafe { Library::new(name) }.err().unwrap());
            assert!(is_missing(name, &reason), "{reason}");
        }
    }
}
