using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer;

/// <summary>How an embedded API server is set up.</summary>
public sealed record ApiServerOptions
{
    /// <summary>All time comes from here.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Makes uids and generated names repeatable.</summary>
    public int? Seed { get; init; }

    /// <summary>Role-based access control; off, every authenticated user may do everything.</summary>
    public bool Rbac { get; init; }

    /// <summary>With <see cref="Rbac"/>: is told every question of authorization before it is answered, as an audit log would be.</summary>
    public Action<Auth.AccessQuestion>? Audit { get; init; }

    /// <summary>Keeps objects, certificate authority and token key across restarts; null keeps everything in memory.</summary>
    public string? DataDirectory { get; init; }

    public StoreOptions Store { get; init; } = new();
}
