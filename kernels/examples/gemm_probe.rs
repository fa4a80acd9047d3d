use gradus_kernels::{linear::*, *};
use std::time::Instant;
fn cpu_s() -> f64 { let mut t: [i64;2]=[0;2]; unsafe extern "C" { fn clock_gettime(c:i32,t:*mut i64)->i32; } unsafe { clock_gettime(2, t.as_mut_ptr()); } t[0] as f64 + t[1] as f64*1e-9 }
fn main(){
  let cpu=Cpu::new(1).unwrap();
  for (m,n,k) in [(512,2048,2048),(512,4864,896),(512,896,4864),(192,2048,2048),(2048,32768,896)] {
    let x=vec![0.5f32;m*k]; let b=vec![0x3fu8;n*k*2]; let w=Params::new(&b,ParamDtype::Bf16,n,k).unwrap();
    let mut p=PackedWeights::new(); let mut out=vec![0f32;m*n];
    let (mut best,mut bp,mut wall)=(1e9f64,1e9f64,1e9f64);
    for _ in 0..5 { let t0=cpu_s(); p.pack(&cpu,w); let t1=cpu_s(); let t=Instant::now(); linear(&cpu,&x,m,&p,None,&mut out).unwrap(); wall=wall.min(t.elapsed().as_secs_f64()); let t2=cpu_s(); bp=bp.min(t1-t0); best=best.min(t2-t1); }
    let f=2.0*m as f64*n as f64*k as f64/1e9;
    println!("{m}x{n}x{k}: {:.1} GF/s (wall {:.1}), pack {:.1}%, with pack {:.1}", f/best, f/wall, bp/best*100.0, f/(best+bp));
  }
}
