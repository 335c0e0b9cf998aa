using static Opt.Torch.torch;

namespace Opt.Trainer.Parallel;

/// <summary>
/// Whole units from shards: gathered in the wire type, ahead of use, into as few buffers as the options allow (two for all blocks when they are
/// resharded after forward, else one each; the root keeps its own), and widened to the compute type. One rank in fp32 uses its master weights
/// in place.
/// </summary>
internal sealed class ParameterGather : IDisposable
{
    private readonly ShardStorage _storage;
    private readonly distributed.ProcessGroup? _group;
    private readonly CollectiveThread _collectives;
    private readonly Slot[] _slots;
    private readonly int[] _slotOf;
    private readonly bool _inPlace;

    /// <param name="group">The data-parallel group; null for one rank.</param>
    /// <param name="resident">Keep every unit gathered until the next optimizer step.</param>
    public ParameterGather(ShardStorage storage, distributed.ProcessGroup? group, CollectiveThread collectives, ScalarType computeType, bool resident, Device device)
    {
        (_storage, _group, _collectives) = (storage, group, collectives);
        _inPlace = group is null && storage.WireType == float32;
        _slotOf = [.. storage.Layouts.Select((_, unit) => unit == 0 || resident ? unit : 1 + (unit - 1) % 2)];
        _slots = _inPlace ? [] : [.. Enumerable.Range(0, _slotOf.Max() + 1).Select(s => NewSlot(storage.Layouts[Array.IndexOf(_slotOf, s)], computeType, device))];
    }

    /// <summary>The slot a unit's views belong to: views of equal layout in equal slots are the same memory.</summary>
    public int SlotOf(int unit) => _inPlace ? unit : _slotOf[unit];

    /// <summary>Starts gathering a unit unless it is there already. Overwrites what its slot held.</summary>
    public void Prefetch(int unit)
    {
        if (_inPlace || (uint)unit >= (uint)_slotOf.Length) return;
        var slot = _slots[_slotOf[unit]];
        if (slot.Content == unit) return;
        slot.Content = unit;
        if (_group is null)
        {
            slot.Compute.copy_(_storage.WireOf(unit));
            return;
        }

        slot.Pending = _collectives.Submit("all-gather", slot.Wire.numel(), () => _group.all_gather_into_tensor(slot.Wire, _storage.WireOf(unit)), slot.Widen, unit);
    }

    /// <summary>The flat parameters of a unit in the compute type, padding at the end.</summary>
    public Tensor Use(int unit)
    {
        if (_inPlace) return _storage.MasterOf(unit);
        Prefetch(unit);
        var slot = _slots[_slotOf[unit]];
        slot.Pending?.Wait();
        slot.Pending = null;
        return slot.Compute;
    }

    /// <summary>Forgets what was gathered: the shards have changed.</summary>
    public void Invalidate()
    {
        foreach (var slot in _slots) slot.Content = -1;
    }

    public void Dispose()
    {
        foreach (var slot in _slots) slot.Dispose();
    }

    private Slot NewSlot(UnitLayout layout, ScalarType computeType, Device device)
    {
        var compute = empty([layout.GatheredElements], computeType, device);
        var wire = _group is null || computeType == _storage.WireType ? compute : empty([layout.GatheredElements], _storage.WireType, device);
        return new(wire, compute);
    }

    private sealed class Slot(Tensor wire, Tensor compute) : IDisposable
    {
        public Tensor Wire { get; } = wire;
        public Tensor Compute { get; } = compute;
        public int Content { get; set; } = -1;
        public CollectiveThread.Pending? Pending { get; set; }

        public void Widen()
        {
            if (!ReferenceEquals(Wire, Compute)) Compute.copy_(Wire);
        }

        public void Dispose()
        {
            Wire.Dispose();
            Compute.Dispose();
        }
    }
}
