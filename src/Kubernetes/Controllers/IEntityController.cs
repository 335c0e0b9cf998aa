namespace Opt.Kubernetes;

/// <summary>
/// Brings the world closer to what an object asks for. Called with the newest known state, whatever the events were: several changes may
/// arrive as one call, and a call may come without any change. Never called twice at once for the same object.
/// </summary>
public interface IEntityController<in TEntity> where TEntity : class
{
    /// <summary>Throw to have it repeated with back-off. <paramref name="ct"/> ends at the attempt's deadline.</summary>
    Task<Requeue> ReconcileAsync(TEntity entity, CancellationToken ct);

    /// <summary>The object is gone. Only forget what was remembered about it: this call is not made if the controller was not running.</summary>
    Task<Requeue> DeletedAsync(ObjectKey key, CancellationToken ct) => Task.FromResult(Requeue.WhenChanged);
}
