namespace Opt.Trainer.Checkpoints;

/// <summary>Where a save makes its checkpoint lie.</summary>
public enum SaveKind
{
    /// <summary>In the store, with copies near by.</summary>
    Store,

    /// <summary>In the memory of the nodes alone: each rank's object on its own node and at a partner. Only manifest and slice table go to the store.</summary>
    Memory,
}
