using System.Collections;
using System.Runtime.CompilerServices;

namespace Opt.Api;

/// <summary>
/// A read-only list with value equality, so that records holding lists compare by value. JSON reads and writes it as an array:
/// the serializer fills it through the hidden <see cref="ICollection{T}.Add"/>; nobody else should.
/// </summary>
[CollectionBuilder(typeof(EquatableList), nameof(EquatableList.Create))]
public sealed class EquatableList<T> : IReadOnlyList<T>, ICollection<T>, IEquatable<EquatableList<T>>
{
    private readonly List<T> _items;

    public EquatableList() => _items = [];

    internal EquatableList(ReadOnlySpan<T> items)
    {
        _items = new List<T>(items.Length);
        _items.AddRange(items);
    }

    public int Count => _items.Count;
    public T this[int index] => _items[index];
    bool ICollection<T>.IsReadOnly => false;

    public bool Equals(EquatableList<T>? other)
    {
        if (ReferenceEquals(this, other)) return true;
        return other is not null && _items.SequenceEqual(other._items);
    }

    public override bool Equals(object? obj) => Equals(obj as EquatableList<T>);
    public override int GetHashCode() => _items.Aggregate(17, HashCode.Combine);
    public override string ToString() => $"[{string.Join(", ", _items)}]";
    public bool Contains(T item) => _items.Contains(item);
    public void CopyTo(T[] array, int arrayIndex) => _items.CopyTo(array, arrayIndex);
    public IEnumerator<T> GetEnumerator() => _items.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    void ICollection<T>.Add(T item) => _items.Add(item);
    void ICollection<T>.Clear() => throw new NotSupportedException("An EquatableList does not change.");
    bool ICollection<T>.Remove(T item) => throw new NotSupportedException("An EquatableList does not change.");

    public static bool operator ==(EquatableList<T>? a, EquatableList<T>? b) => a is null ? b is null : a.Equals(b);
    public static bool operator !=(EquatableList<T>? a, EquatableList<T>? b) => !(a == b);
}

/// <summary>Builds an <see cref="EquatableList{T}"/> from a collection expression.</summary>
public static class EquatableList
{
    public static EquatableList<T> Create<T>(ReadOnlySpan<T> items) => new(items);
}
