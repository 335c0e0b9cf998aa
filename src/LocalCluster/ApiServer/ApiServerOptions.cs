using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer;

/// <summary>How an embedded API server is set up.</summary>
public sealed record ApiServerOptions
{
    /// <summary>All time comes from here.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Makes uids and generated names repeatable.</summary>
    public int? Seed { get; init; }

    public StoreOptions Store { get; init; } = new();
}
