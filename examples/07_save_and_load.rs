//! A run is saved and loaded whole; the deep optimizer's network goes on as a module of dfdx.

use overparam::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir();
    let own = |ending: &str| folder.join(format!("overparam-example-{}.{ending}", std::process::id()));
    let (path, weights) = (own("parquet"), own("safetensors"));
    let protocol = Protocol::paper();
    let settings = protocol.settings(Function::Sphere).iterations(300);
    let run = protocol.run(Function::Sphere, Optimizer::Deep, 7, &settings)?;
    run.save(&path)?;
    let loaded = Run::load(&path)?;
    assert_eq!((&loaded.x, loaded.best, &loaded.end), (&run.x, run.best, &run.end));

    // The network that the run ended with puts out the points that it ended with.
    let device = Cpu::default();
    let network = PaperShape::network::<f64, Cpu>(&device, &loaded)?;
    network.save_safetensors(&weights)?;
    let hidden = network.input.forward(network.embeddings.clone()).relu();
    let x = network.output.forward(hidden).sigmoid().as_vec();
    let points = &run.end.expect("a single run has its end").points;
    let farthest = x.iter().zip(points).map(|(x, point)| (x - point).abs()).fold(0.0, f64::max);
    println!("{loaded}\nthe network's points are {farthest:.1e} from those of the run");
    assert!(x.len() == points.len() && farthest < 1e-12);
    assert!(std::fs::metadata(&weights)?.len() > 8 * 1_160, "1,160 parameters of 8 bytes each");
    std::fs::remove_file(path)?;
    std::fs::remove_file(weights)?;
    Ok(())
}
