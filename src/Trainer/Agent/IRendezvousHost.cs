namespace Opt.Trainer.Agent;

/// <summary>Serves the key-value store through which the workers of an epoch meet. Rank 0's agent does; its workers may die, the store stays.</summary>
internal interface IRendezvousHost
{
    /// <summary>Serves until the answer is disposed of.</summary>
    /// <exception cref="TrainerException">PortInUse; TorchUnavailable; Rendezvous.</exception>
    IDisposable Listen(int port);
}
