namespace Opt.Api.Protocol;

/// <summary>
/// Answer of <c>GET /v1/stacks</c>: where the workers of this node stand, by their own flight recorders and by the kernel. Nothing is asked of the workers: one that is
/// stopped, or that waits in a collective for ever, is seen as well.
/// </summary>
public sealed record StacksReport
{
    /// <summary>Epoch of the plan that the workers belong to; 0 when none was started here.</summary>
    public required long Epoch { get; init; }

    public EquatableList<WorkerStack> Workers { get; set; } = [];
}

/// <summary>Where one worker stands.</summary>
public sealed record WorkerStack
{
    public required int Rank { get; init; }

    public required WorkerState State { get; init; }

    /// <summary>State of the process as proc(5) has it: R, S, D, T (stopped), t (traced), Z; null when there is no process.</summary>
    public string? Process { get; init; }

    /// <summary>What it wrote down last of what it does; null before it trains, and from a worker without a recorder.</summary>
    public WorkerActivity? Activity { get; init; }

    /// <summary>Its threads, the named ones of the trainer first; at most 64.</summary>
    public EquatableList<ThreadStack> Threads { get; set; } = [];
}

/// <summary>
/// The newest entry of a worker's flight recorder. Every rank submits the same sequence of collectives, so numbers compare between ranks (as those of PyTorch's flight
/// recorder do).
/// </summary>
public sealed record WorkerActivity
{
    /// <summary>The attempt under way.</summary>
    public required long Attempt { get; init; }

    /// <summary>Part of the attempt: control, save, forward, head, backward, agreement, optimizer, validation.</summary>
    public required string Phase { get; init; }

    /// <summary>Block of the model, where the part has one.</summary>
    public int? Block { get; init; }

    /// <summary>For how long it has been in this part.</summary>
    public double Seconds { get; init; }

    /// <summary>Collectives submitted so far.</summary>
    public long Submitted { get; init; }

    /// <summary>Collectives that came to an end so far.</summary>
    public long Finished { get; init; }

    /// <summary>Number of the collective that the training thread waits for; null while it computes.</summary>
    public long? WaitsFor { get; init; }

    /// <summary>The collective under way: all-gather, reduce-scatter, all-reduce, broadcast...; null when none is.</summary>
    public string? Collective { get; init; }
}

/// <summary>One thread as the kernel sees it.</summary>
public sealed record ThreadStack
{
    public required int Id { get; init; }

    public required string Name { get; init; }

    /// <summary>As <see cref="WorkerStack.Process"/>.</summary>
    public required string State { get; init; }

    /// <summary>Kernel function that it sleeps in, where the kernel tells (wchan).</summary>
    public string? SleepsIn { get; init; }

    /// <summary>Number and arguments of its system call, where the kernel tells (syscall).</summary>
    public string? SystemCall { get; init; }

    /// <summary>Its stack in the kernel, innermost first, where the kernel tells (stack: root only).</summary>
    public EquatableList<string> Kernel { get; set; } = [];
}
