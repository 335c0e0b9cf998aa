namespace Opt.Torch;

/// <summary>Where and how a Gloo group listens.</summary>
public sealed record GlooOptions
{
    /// <value>Address or host name of this process that its peers can reach, such as the pod's. The default resolves the machine's own name.</value>
    public string? Address { get; init; }

    /// <value>Network interface to listen on, instead of an address.</value>
    public string? Interface { get; init; }

    /// <value>Threads that run this group's collectives; 1 by default, since one thread issues them and cores are few.</value>
    public int Threads { get; init; } = 1;
}
